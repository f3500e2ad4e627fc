-- KEYS: lease, last fencing token. ARGV: owner, TTL in ms, fencing token.
-- Grants the lease when it is free and the token is higher than any that was granted here before, or when the owner has
-- it already and the token is not lower, as in a renewal or after an answer that was lost.
-- Returns 1, {0, holder, ms until its lease runs out}, or {-1, last token} when the token is too low.
local lease, fence, owner, token = KEYS[1], KEYS[2], ARGV[1], ARGV[3]
local holder = redis.call('SET', lease, owner, 'NX', 'GET', 'PX', ARGV[2])
if holder and holder ~= owner then return { 0, holder, redis.call('PTTL', lease) } end

-- Not for ever, as names may hold ids: a day after the last lease the clocks of the clients alone see to it.
local last = redis.call('SET', fence, token, 'GET', 'PX', 86400000)
if last and (tonumber(last) > tonumber(token) or (last == token and not holder)) then
  redis.call('SET', fence, last, 'PX', 86400000)
  if not holder then redis.call('DEL', lease) end
  return { -1, last }
end
if holder then redis.call('PEXPIRE', lease, ARGV[2]) end
return 1
