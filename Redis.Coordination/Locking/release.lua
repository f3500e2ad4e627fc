-- KEYS: lease, queue. ARGV: owner, claim time in ms.
-- Gives back whatever the owner has: the lease, a claim to it, or a place in the queue.
-- Returns 0 when the lease was not its any more, 1 when it is free now, or the token of the waiter that has it next.
--@include wake
--@include hand-over
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  if redis.call('LREM', KEYS[2], 1, ARGV[1]) == 0 and redis.call('LINDEX', KEYS[2], 0) == '*' .. ARGV[1] then
    redis.call('LPOP', KEYS[2])
  end
  return 0
end
-- Compare and delete in one step: a plain DEL could remove the lease of the next owner.
local next_owner = hand_over(KEYS[1], KEYS[2], ARGV[1], ARGV[2])
if next_owner then return next_owner end
redis.call('DEL', KEYS[1])
return 1
