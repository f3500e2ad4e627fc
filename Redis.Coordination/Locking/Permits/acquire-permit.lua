-- KEYS: see permit-state. ARGV: owner, TTL in ms, claim time in ms, 1 to queue when there is none to be had, mode, limit, resource.
-- Returns {1, fencing token, 1 when it was handed over, number of the permit} or
-- {0, ms until the first of those who have one runs out, place in the queue or -1, 1 when queued by this call}.
--@unless-region-is-handed-over
--@include wake-waiter
--@include mint-token
--@include server-ms
--@include permit-state
local owner, ttl, claim, mode, limit, resource = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[5], tonumber(ARGV[6]), ARGV[7]
local now = server_ms()
expire(now)

local function take(what, handed_over)
  grant(owner, what, now, ttl)
  return { 1, token_of(mode, limit), handed_over, tonumber(string.sub(what, 2)) }
end

local mine = redis.call('HGET', permits, owner)
if mine then
  -- Handed over to us, or the reply to an earlier attempt was lost, and this one finds what that one made.
  local handed_over = is_claimed(mine)
  begin(ttl)
  return take(handed_over and string.sub(mine, 2) or mine, handed_over and 1 or 0)
end

-- What has just run out is due to those who wait; that may be us.
admit(resource, limit, claim, now)
mine = redis.call('HGET', permits, owner)
if mine then return take(string.sub(mine, 2), 0) end

local waiting = redis.call('LLEN', queue)
if waiting == 0 then
  local number = free_permit(mode, limit)
  if number then return take(mode .. number, 0) end
end

local place, queued = -1, 0
if ARGV[4] == '1' then
  place = redis.call('LPOS', queue, mode .. owner)
  if not place then
    place = redis.call('RPUSH', queue, mode .. owner) - 1
    queued = 1
  end
end
return refuse(place, queued, claim, now)
