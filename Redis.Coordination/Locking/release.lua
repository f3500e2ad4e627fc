-- KEYS: lease, queue, last fencing token. ARGV: owner:token, or the owner alone where it has no lease yet; claim time in
-- ms; the owner that passed it on to this one, if that is not confirmed.
-- Gives back whatever the owner has: the lease, a claim to it, or a place in the queue.
-- Returns 0 when the lease was not its any more, 1 when it is free now, or {waiter that has it next, its fencing token}.
local value, last = unpack(redis.call('MGET', KEYS[1], KEYS[3]))
if value == ARGV[1] then
  -- Compare and delete in one step: a plain DEL could remove the lease of the next owner. And before anything else: a
  -- server without memory lets a script write on that has begun to.
  redis.call('DEL', KEYS[1])
  -- Without a mark (see mint) nobody has queued.
  if last and #last == 16 or redis.call('EXISTS', KEYS[2]) == 0 then return 1 end
end

--@include holder
--@include wake
--@include hand-over
local owner = string.match(ARGV[1], '^[^:]+')
if value ~= ARGV[1] then
  if not held_by(value, owner) and not (ARGV[3] and held_by(value, ARGV[3])) then
    redis.call('ZREM', KEYS[2], owner, '*' .. owner)
    return 0
  end
  redis.call('DEL', KEYS[1])
end
redis.call('ZREM', KEYS[2], owner)
local next_owner, token = hand_over(KEYS[1], KEYS[2], owner, ARGV[2])
return next_owner and { next_owner, token } or 1
