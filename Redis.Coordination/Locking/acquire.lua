-- KEYS: lease, last fencing token, queue. ARGV: owner, TTL in ms, claim time in ms, 1 to queue when the lease is held.
-- Returns {1, fencing token, 1 when it was handed over} or
-- {0, ms until the present lease or claim runs out, place in the queue or -1, 1 when queued by this call}.
--@include wake
--@include hand-over
--@include mint
local lease, queue, owner = KEYS[1], KEYS[3], ARGV[1]
local head = redis.call('LINDEX', queue, 0)
local holder
if head then
  holder = redis.call('GET', lease)
else
  -- Nobody to overtake: taken if free.
  holder = redis.call('SET', lease, owner, 'NX', 'GET', 'PX', ARGV[2])
  if not holder then return { 1, mint(KEYS[2], ARGV[2]), 0 } end
end

local claimed = head == '*' .. owner
if holder == owner or (claimed and not holder) then
  -- Handed over to us, also a moment too late when nobody has taken it since; or the reply to an earlier attempt was
  -- lost, and this one finds what that one made.
  if claimed then redis.call('LPOP', queue) end
  redis.call('SET', lease, owner, 'PX', ARGV[2])
  return { 1, mint(KEYS[2], ARGV[2]), claimed and 1 or 0 }
end

if head and string.sub(head, 1, 1) == '*' and holder ~= string.sub(head, 2) then drop_claimant(queue) end

local place, queued = -1, 0
if ARGV[4] == '1' then
  place = redis.call('LPOS', queue, owner)
  if not place then
    place = redis.call('RPUSH', queue, owner) - 1
    queued = 1
  end
end

if not holder then
  -- It ran out, or was deleted by a client that knows of no queue. The first in the queue is next, whoever looks.
  local next_owner = hand_over(lease, queue, '', ARGV[3])
  if next_owner == owner then
    redis.call('LPOP', queue)
    redis.call('PEXPIRE', lease, ARGV[2])
    return { 1, mint(KEYS[2], ARGV[2]), 0 }
  end
  if not next_owner then
    -- All that queued were of a process that is gone.
    redis.call('SET', lease, owner, 'PX', ARGV[2])
    return { 1, mint(KEYS[2], ARGV[2]), 0 }
  end
end

-- -1 is a key without expiry that somebody else has set: only a release can end it.
local left = redis.call('PTTL', lease)
if place >= 0 then
  -- Beyond the time at which this waiter looks again, and a minute for one that was paused; never for ever.
  local keep = (left < 0 and 3600000 or left) + 20 * ARGV[3] + 60000
  if redis.call('PTTL', queue) < keep then redis.call('PEXPIRE', queue, keep) end
end
return { 0, left, place, queued }
