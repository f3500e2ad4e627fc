-- KEYS: lease, queue. ARGV: owner, claim time in ms, the owner that passed it on to this one or ''.
-- Gives back whatever the owner has: the lease, a claim to it, or a place in the queue.
-- Returns 0 when the lease was not its any more, 1 when it is free now, or {waiter that has it next, its fencing token}.
--@include holder
local value = redis.call('GET', KEYS[1])
if not held_by(value, ARGV[1]) and (ARGV[3] == '' or not held_by(value, ARGV[3])) then
  redis.call('ZREM', KEYS[2], ARGV[1], '*' .. ARGV[1])
  return 0
end
-- Compare and delete in one step: a plain DEL could remove the lease of the next owner. And before anything else: a
-- server without memory lets a script write on that has begun to.
redis.call('DEL', KEYS[1])
if redis.call('EXISTS', KEYS[2]) == 0 then return 1 end

--@include wake
--@include hand-over
redis.call('ZREM', KEYS[2], ARGV[1])
local owner, token = hand_over(KEYS[1], KEYS[2], ARGV[1], ARGV[2])
return owner and { owner, token } or 1
