-- KEYS: lease, queue, last fencing token. ARGV: owner, its fencing token, TTL in ms, the owner that handed it over within the process
-- or ''.
-- Starts the TTL again, and confirms a lease that was handed over by the server or within the process.
-- Returns 0 when the lease is not ours any more, or who is next in the queue, '' for nobody.
--@include lease-value
local value = redis.call('GET', KEYS[1])
local own = ARGV[1] .. ':' .. ARGV[2]
if value ~= own and (ARGV[4] == '' or not held_by(value, ARGV[4])) then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1], '*' .. ARGV[1])
if value == own then redis.call('PEXPIRE', KEYS[1], ARGV[3]) else redis.call('SET', KEYS[1], own, 'PX', ARGV[3]) end
-- Held for half a day: the last token must outlive it. The mark, see mint-token, has the next one keep it for a day again.
if redis.call('PTTL', KEYS[3]) < 48200000 then
  -- Never lower: those who queue behind us have had theirs already.
  local last = string.sub(redis.call('GET', KEYS[3]) or ARGV[2], 1, 16)
  redis.call('SET', KEYS[3], (tonumber(last) > tonumber(ARGV[2]) and last or ARGV[2]) .. 'q', 'PX', '96400000')
end
return redis.call('ZRANGE', KEYS[2], 0, 0)[1] or ''
