-- KEYS: see concurrency-state. ARGV: owner, TTL in ms, claim time in ms, 1 to queue when they cannot be had, permits, limit,
--   1 to queue at the front, resource.
-- Returns {1, how many are left, 1 when they were handed over} or
-- {0, ms until the first of those who have some runs out, place in the queue or -1, 1 when queued by this call}.
--@include wake-waiter
--@include server-ms
--@include concurrency-state
local owner, ttl, claim, resource = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[8]
local weight, limit = tonumber(ARGV[5]), tonumber(ARGV[6])
local now = server_ms()
expire(now)

local function take(handed_over)
  grant(owner, weight, false, now, ttl)
  return { 1, math.max(0, limit - held()), handed_over }
end

local mine = redis.call('HGET', weights, owner)
if mine then
  -- Handed over to us, or the reply to an earlier attempt was lost, and this one finds what that one made.
  begin(ttl)
  return take(is_claimed(mine) and 1 or 0)
end

-- What has just run out is due to those who wait; that may be us.
admit(resource, limit, claim, now)
if redis.call('HEXISTS', weights, owner) == 1 then return take(0) end
if redis.call('EXISTS', queue) == 0 and fits(weight, limit) then return take(0) end

local place, queued = -1, 0
if ARGV[4] == '1' then
  local entry = weight .. ':' .. owner
  place = redis.call('LPOS', queue, entry)
  if not place then
    queued = 1
    if ARGV[7] == '1' then
      redis.call('LPUSH', queue, entry)
      place = 0
    else
      place = redis.call('RPUSH', queue, entry) - 1
    end
  end
end
return refuse(place, queued, claim, now)
