-- Gives back whatever the owner has: the lease, a claim to it, or a place in the queue. The first waiter gets the lease.
-- held is owner:token, or the owner alone where it has no lease yet; claim is in ms; predecessor is the owner that handed
-- the lease over to this one within their process, if the server has not heard of that yet, or ''.
-- Returns 0 when the lease was not the owner's any more, 1 when it is free now, or {the next owner, its fencing token}.
local function free_or_hand_over(lease, queue, fence, held, claim, predecessor)
  local value, last = unpack(redis.call('MGET', lease, fence))
  if value == held then
    -- Compare and delete in one step: a plain DEL could remove the lease of the next owner. And before anything else: a
    -- server without memory lets a script write on that has begun to.
    redis.call('DEL', lease)
    -- Without a mark (see mint-token) nobody has queued.
    if last and #last == 16 or redis.call('EXISTS', queue) == 0 then return 1 end
  end

--@include lease-value
--@include wake-waiter
--@include lease-queue
  local owner = string.match(held, '^[^:]+')
  if value ~= held then
    if not held_by(value, owner) and not (predecessor ~= '' and held_by(value, predecessor)) then
      redis.call('ZREM', queue, owner, '*' .. owner)
      return 0
    end
    redis.call('DEL', lease)
  end
  redis.call('ZREM', queue, owner)
  local next_owner, token = hand_over_to_first(lease, queue, owner, claim)
  return next_owner and { next_owner, token } or 1
end
