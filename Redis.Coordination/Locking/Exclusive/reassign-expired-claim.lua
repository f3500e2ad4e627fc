-- KEYS: lease, queue. ARGV: claim time in ms.
-- Gives the lease to the next waiter when the claim of the one before has run out.
-- Returns ms until the present claim runs out, or 0 without one.
--@include lease-value
--@include wake-waiter
--@include lease-queue
local value = redis.call('GET', KEYS[1])
if not value then
  -- Nothing; a server without memory lets a script write on that has begun to.
  redis.call('DEL', KEYS[1])
  return hand_over_to_first(KEYS[1], KEYS[2], '', ARGV[1]) and tonumber(ARGV[1]) or 0
end
local head = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
if head and string.sub(head, 1, 1) == '*' then
  -- Rounded up: 0 would say that there is no claim.
  if held_by(value, string.sub(head, 2)) then return redis.call('PTTL', KEYS[1]) + 1 end
  -- The claim ran out, and a client that knows of no queue came first. The next in line must know how long it stays.
  drop_claimant(KEYS[2], head)
  head = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
  if head then wake(head, KEYS[1]) end
end
return 0
