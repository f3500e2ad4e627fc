-- KEYS: see concurrency-state. ARGV: owner, permits, claim time in ms, limit, resource.
-- Gives back whatever the owner has: its permits, a claim to them, or a place in the queue. Returns those who have some next.
--@include wake-waiter
--@include server-ms
--@include concurrency-state
local owner, now = ARGV[1], server_ms()
if forget(owner) == 0 then redis.call('LREM', queue, 1, ARGV[2] .. ':' .. owner) end
expire(now)
-- Also when only a place in the queue was given back: those behind it may not have to wait any more.
return admit(ARGV[5], tonumber(ARGV[4]), tonumber(ARGV[3]), now)
