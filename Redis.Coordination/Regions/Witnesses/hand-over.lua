-- KEYS: lease, last fencing token, the last active region. ARGV: owner of now, next owner, TTL in ms, its token, 'REGION EPOCH'.
-- The lease passes to the next owner, and with it the name of the active region. Returns 1, or 0 when it is not that owner's.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local last = string.match(redis.call('GET', KEYS[2]) or '', '^%d+') or ''
if tonumber(last) and tonumber(last) >= tonumber(ARGV[4]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
-- As redlock-grant.lua keeps it, with the token of before.
redis.call('SET', KEYS[2], ARGV[4] .. ' ' .. last, 'PX', 86400000)
redis.call('SET', KEYS[3], ARGV[5])
return 1
