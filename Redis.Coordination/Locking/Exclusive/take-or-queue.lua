-- Takes the lease if it is free and nobody waits, or if it was handed over to the owner; else queues the owner.
-- claim is in ms; negative: do not queue. time is what TIME has answered.
-- Returns the fencing token when the lease was free,
-- {1, fencing token, 1 when it was handed over, who is next or ''} when it is ours otherwise, or
-- {0, ms until the present lease or claim runs out, place in the queue or -1, 1 when queued by this call,
--  the fencing token that it will have there, value of the lease}.
local function take_or_queue(lease, queue, fence, owner, claim, ttl, time)
--@unless-region-is-handed-over
  -- Taken if free. For speed this says in few words what mint-token says.
  local token = #time[2] == 6 and time[1] .. time[2] or string.format('%s%06d', time[1], time[2])
  local taken = redis.pcall('SET', lease, owner .. ':' .. token, 'NX', 'PX', ttl)
  if taken and taken.ok then
    local last = redis.call('SET', fence, token, 'GET', 'KEEPTTL')
    -- 16 digits and no mark: nobody has queued since. When the sixth digit changes, every three hours, the fence is kept for
    -- longer; it does not live for the 28 hours in which the digit comes round.
    if last and #last == 16 and last < token and string.byte(last, 6) == string.byte(token, 6) then return tonumber(token) end
--@include mint-token
    if redis.call('EXISTS', queue) == 0 then
      token = mint_above(fence, last, token)
      redis.call('SET', lease, owner .. ':' .. token, 'PX', ttl)
      return tonumber(token)
    end
    -- Not to overtake those who wait: as if it had not been.
    redis.call('DEL', lease)
    if last then redis.call('SET', fence, last, 'KEEPTTL') else mint_above(fence, nil, token, 'q') end
  end

--@include mint-token
--@include lease-value
--@include wake-waiter
--@include lease-queue
  local claim_ms = math.abs(claim)
  local value = redis.call('GET', lease)
  local head = redis.call('ZRANGE', queue, 0, 0)[1]
  local claimed = head == '*' .. owner
  if held_by(value, owner) or (claimed and not value) then
    -- Handed over to us, also a moment too late when nobody has taken it since; or the reply to an earlier attempt was
    -- lost, and this one finds what that one made.
    local token = value and string.sub(value, #owner + 2) or redis.call('ZSCORE', queue, head)
    redis.call('ZREM', queue, owner, '*' .. owner)
    redis.call('SET', lease, owner .. ':' .. token, 'PX', ttl)
    return { 1, token, claimed and 1 or 0, redis.call('ZRANGE', queue, 0, 0)[1] or '' }
  end

  -- Refused, as for want of memory: what one had is confirmed above, behind a ZREM, which takes none. Nothing is given.
  if taken and taken.err then error(taken) end

  if head and string.sub(head, 1, 1) == '*' and not held_by(value, string.sub(head, 2)) then drop_claimant(queue, head) end

  local place, queued, token = -1, 0, '0'
  if tonumber(claim) > 0 then
    token = redis.call('ZSCORE', queue, owner)
    if not token then
      token = mint(fence, 'q')
      redis.call('ZADD', queue, token, owner)
      queued = 1
    end
    place = redis.call('ZRANK', queue, owner)
  end

  if not value then
    -- It ran out, or was deleted by a client that knows of no queue. The first in the queue is next, whoever looks.
    local next_owner, next_token = hand_over_to_first(lease, queue, '', claim_ms)
    if not next_owner then
      -- All that queued were of a process that is gone.
      next_owner, next_token = owner, mint(fence)
    end
    if next_owner == owner then
      redis.call('ZREM', queue, '*' .. owner)
      redis.call('SET', lease, owner .. ':' .. next_token, 'PX', ttl)
      return { 1, next_token, 0, redis.call('ZRANGE', queue, 0, 0)[1] or '' }
    end
  end

  -- -1 is a key without expiry that somebody else has set: only a release can end it.
  local left = redis.call('PTTL', lease)
  if place >= 0 then
    -- Beyond the time at which this waiter looks again, and a minute for one that was paused; never for ever.
    local keep = (left < 0 and 3600000 or left) + 20 * claim_ms + 60000
    if redis.call('PTTL', queue) < keep then redis.call('PEXPIRE', queue, keep) end
  end
  return { 0, left, place, queued, token, value or '' }
end
