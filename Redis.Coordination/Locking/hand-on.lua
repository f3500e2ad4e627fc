-- KEYS: lease, queue. ARGV: claim time in ms.
-- Hands the lease on when a claim to it has run out. Returns ms until the present claim runs out, or 0 without one.
--@include hand-over
local holder = redis.call('GET', KEYS[1])
if not holder then
  return hand_over(KEYS[1], KEYS[2], '', ARGV[1]) and tonumber(ARGV[1]) or 0
end
return redis.call('LINDEX', KEYS[2], 0) == '*' .. holder and redis.call('PTTL', KEYS[1]) or 0
