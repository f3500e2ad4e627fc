-- Permits that are held at the same time. KEYS: holders, weights, queue.
-- holders: a sorted set of owners by when, in ms of the server's clock, their lease or claim runs out.
-- weights: a hash of owner to how many permits it has; a star before it while they are claimed: granted to one that waited, and
--   not confirmed yet. The field '=' is the sum of all.
-- queue: how many are wanted, a colon, and by whom, in the order in which it is their turn.
-- Needs wake-waiter and server-ms.
local holders, weights, queue = KEYS[1], KEYS[2], KEYS[3]
local states = weights

local function owner_of(entry) return string.sub(entry, string.find(entry, ':', 1, true) + 1) end

local function weight_of(text) return tonumber(string.match(text, '^%*?(%d+)')) end

local function held() return tonumber(redis.call('HGET', weights, '=') or 0) end

-- A waiting one that wants none only wants to know whether there is one.
local function fits(weight, limit) return held() + math.max(1, weight) <= limit end

local function forget(owner)
  local what = redis.call('HGET', weights, owner)
  local removed = redis.call('ZREM', holders, owner)
  if what then
    redis.call('HDEL', weights, owner)
    redis.call('HINCRBY', weights, '=', -weight_of(what))
  end
  if redis.call('EXISTS', holders) == 0 then redis.call('DEL', weights) end
  return removed
end

--@include claims

local function grant(owner, weight, claimed, now, ms)
  local before = redis.call('HGET', weights, owner)
  redis.call('ZADD', holders, now + ms, owner)
  redis.call('HSET', weights, owner, (claimed and '*' or '') .. weight)
  if not before then redis.call('HINCRBY', weights, '=', weight) end
  -- Beyond what is in them, so that what runs out is seen to, and not for ever.
  keep(holders, ms + 60000)
  keep(weights, ms + 60000)
end

-- Grants what is free to those who wait, in their order: who is behind one that must wait waits too, or one who wants many
-- would wait for ever. Returns the owners.
local function admit(resource, limit, claim, now)
  local admitted, unheard = {}, {}
  while true do
    local head = redis.call('LINDEX', queue, 0)
    if not head then break end
    local weight, owner = weight_of(head), owner_of(head)
    if not fits(weight, limit) then break end
    redis.call('LPOP', queue)
    grant(owner, weight, true, now, claim)
    admitted[#admitted + 1] = owner
    if not wake(owner, resource) then unheard[provider_of(owner)] = true end
  end
  wake_another(unheard, resource)
  return admitted
end
