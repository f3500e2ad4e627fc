-- KEYS: lease, last fencing token. ARGV: owner, TTL in ms, fencing token.
-- Grants the lease when it is free and the token is higher than any that was granted here before, or when the owner has
-- it already and the token is not lower, as in a renewal or after an answer that was lost.
-- Returns {1}, {0, holder, ms until its lease runs out}, or {-1, last token} when the token is too low.
local lease, fence, owner, token = KEYS[1], KEYS[2], ARGV[1], ARGV[3]
local holder = redis.pcall('SET', lease, owner, 'NX', 'GET', 'PX', ARGV[2])
if type(holder) == 'table' then
  -- Refused, as for want of memory: what the owner has is renewed all the same, for a script may write on that has begun to.
  if redis.call('GET', lease) ~= owner then error(holder) end
  redis.call('PEXPIRE', lease, ARGV[2])
  holder = owner
end
if holder and holder ~= owner then return { 0, holder, redis.call('PTTL', lease) } end

-- The token and, behind it, the one before this owner's first: what redlock-release.lua puts back when it was granted in vain.
local last, before = string.match(redis.call('GET', fence) or '', '^(%d+) ?(%d*)')
if last and (tonumber(last) > tonumber(token) or (last == token and not holder)) then
  if not holder then redis.call('DEL', lease) end
  redis.call('PEXPIRE', fence, 86400000)
  return { -1, last }
end
if not holder then before = last end
-- Not for ever, as names may hold ids: a day after the last lease the clocks of the clients alone see to it.
redis.call('SET', fence, token .. ' ' .. (before or ''), 'PX', 86400000)
if holder then redis.call('PEXPIRE', lease, ARGV[2]) end
return { 1 }
