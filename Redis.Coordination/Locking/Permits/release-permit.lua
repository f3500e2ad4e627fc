-- KEYS: see permit-state. ARGV: owner, claim time in ms, limit, resource.
-- Gives back whatever the owner has: the lease, a claim to it, or a place in the queue. Returns those who have it next.
--@include wake-waiter
--@include mint-token
--@include server-ms
--@include permit-state
local owner, now = ARGV[1], server_ms()
if forget(owner) == 0 then
  if redis.call('LREM', queue, 1, 's' .. owner) == 0 then redis.call('LREM', queue, 1, 'x' .. owner) end
end
expire(now)
-- Also when only a place in the queue was given back: those behind it may not have to wait any more.
return admit(ARGV[4], tonumber(ARGV[3]), tonumber(ARGV[2]), now)
