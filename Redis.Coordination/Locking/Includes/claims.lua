-- What several hold at once: permits of a lease, and those of a limit. In front of it stand, as locals: holders, a sorted set of owners
-- by when, in ms of the server's clock, their lease or claim runs out; states, a hash of owner to what it has, with a star before it
-- while it is claimed: granted to one that waited, and not confirmed yet; queue, those who wait; owner_of, whose an entry of the
-- queue is; and forget, which takes from an owner what it has. Needs wake-waiter.

local function is_claimed(what) return what and string.sub(what, 1, 1) == '*' end

-- Ends what has run out. A claim that was not confirmed is that of a process that is dead, frozen or cut off: all that
-- it has queued goes, so that it costs the others one claim and not one for each; whoever lives there queues again.
local function expire(now)
  for _, owner in ipairs(redis.call('ZRANGEBYSCORE', holders, '-inf', now)) do
    if is_claimed(redis.call('HGET', states, owner)) then
      local provider = provider_of(owner)
      for _, entry in ipairs(redis.call('LRANGE', queue, 0, -1)) do
        if provider_of(owner_of(entry)) == provider then redis.call('LREM', queue, 1, entry) end
      end
    end
    forget(owner)
  end
end

local function keep(key, ms)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, ms) end
end

-- For one who is a holder already. A server without memory refuses ZADD and HSET, and lets a script write on that has begun to.
local function begin(ms)
  redis.call('PEXPIRE', holders, ms + 60000, 'GT')
  redis.call('PEXPIRE', states, ms + 60000, 'GT')
end

-- Prolongs what an owner has. False when it has run out.
local function renew(owner, now, ms)
  local until_ms = redis.call('ZSCORE', holders, owner)
  if not until_ms or tonumber(until_ms) <= now then return false end
  begin(ms)
  redis.call('ZADD', holders, now + ms, owner)
  return true
end

-- The reply to one who gets none: ms until the first of those who have some runs out, its place in the queue and whether it is new there.
local function refuse(place, queued, claim, now)
  local first = redis.call('ZRANGE', holders, 0, 0, 'WITHSCORES')
  local left = first[2] and math.max(1, first[2] - now) or claim
  -- Beyond the time at which this waiter looks again, and a minute for one that was paused; never for ever.
  if place >= 0 then keep(queue, left + 20 * claim + 60000) end
  return { 0, left, place, queued }
end

-- Some were granted a claim and do not hear it: somebody else has to look when it runs out, the first in the queue who hears it.
local function wake_another(unheard, resource)
  if not next(unheard) then return end
  for _, entry in ipairs(redis.call('LRANGE', queue, 0, -1)) do
    local owner = owner_of(entry)
    if not unheard[provider_of(owner)] then
      if wake(owner, resource) then break end
      unheard[provider_of(owner)] = true
    end
  end
end

-- ms until the first of the present claims runs out, or 0 without one.
local function first_claim(now)
  local left = 0
  local all = redis.call('HGETALL', states)
  for i = 1, #all, 2 do
    if is_claimed(all[i + 1]) then
      local ms = math.max(1, redis.call('ZSCORE', holders, all[i]) - now)
      if left == 0 or ms < left then left = ms end
    end
  end
  return left
end
