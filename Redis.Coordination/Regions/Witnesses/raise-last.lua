-- KEYS: the last active region. ARGV: 'REGION EPOCH', epoch. Never takes a smaller epoch. Returns what stands there then.
local last = redis.call('GET', KEYS[1])
if last and tonumber(string.match(last, '(%d+)$')) >= tonumber(ARGV[2]) then return last end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]
