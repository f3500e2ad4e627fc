-- A lease that several may hold at once. KEYS: holders, permits, queue, fence.
-- holders: a sorted set of owners by when, in ms of the server's clock, their lease or claim runs out.
-- permits: a hash of owner to what it holds: 'x' alone, 's' and the number of its permit; a star before it while it is
--   claimed: granted to one that waited, and not confirmed yet. The field '=' is the token that those who share have.
-- queue: how it is wanted ('x' or 's') and by whom, first come first served.
-- Needs wake-waiter, mint-token and server-ms. A limit of 0 is none.
local holders, permits, queue, fence = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local states = permits

local function owner_of(entry) return string.sub(entry, 2) end

local function forget(owner)
  redis.call('HDEL', permits, owner)
  local removed = redis.call('ZREM', holders, owner)
  -- With the last of those who share their token goes too.
  if redis.call('EXISTS', holders) == 0 then redis.call('DEL', permits) end
  return removed
end

--@include claims

-- The number of a permit that may be granted now, or nil. An exclusive holder and one that shares without a limit have 0.
local function free_permit(mode, limit)
  local held = redis.call('ZCARD', holders)
  if held == 0 then return mode == 's' and limit > 0 and 1 or 0 end
  if mode == 'x' then return nil end
  if limit == 0 then
    -- An exclusive holder is the only one.
    if held > 1 then return 0 end
    local only = redis.call('HGET', permits, redis.call('ZRANGE', holders, 0, 0)[1])
    return string.find(only, 'x', 1, true) == nil and 0 or nil
  end
  if held >= limit then return nil end
  local taken = {}
  for _, what in ipairs(redis.call('HVALS', permits)) do
    taken[tonumber(string.match(what, '%d+$'))] = true
  end
  for number = 1, limit do
    if not taken[number] then return number end
  end
  return nil
end

local function grant(owner, what, now, ms)
  redis.call('ZADD', holders, now + ms, owner)
  redis.call('HSET', permits, owner, what)
  -- Beyond what is in them, so that what runs out is seen to, and not for ever.
  keep(holders, ms + 60000)
  keep(permits, ms + 60000)
end

-- Those who share have one token: a store that takes none smaller than it has seen must take the writes of all of them.
-- It is larger than that of whoever excluded them last, and smaller than that of whoever will. Permits of a semaphore
-- are told apart, so each has its own.
local function token_of(mode, limit)
  if mode == 'x' or limit > 0 then return mint(fence) end
  local token = redis.call('HGET', permits, '=')
  if not token then
    token = mint(fence)
    redis.call('HSET', permits, '=', token)
  end
  return token
end

-- Grants what is free to those who wait, in their order: who is behind one that must wait waits too, or a writer would
-- wait for ever behind readers. Returns the owners.
local function admit(resource, limit, claim, now)
  local admitted, unheard = {}, {}
  while true do
    local head = redis.call('LINDEX', queue, 0)
    if not head then break end
    local mode, owner = string.sub(head, 1, 1), owner_of(head)
    local number = free_permit(mode, limit)
    if not number then break end
    redis.call('LPOP', queue)
    grant(owner, '*' .. mode .. number, now, claim)
    admitted[#admitted + 1] = owner
    if not wake(owner, resource) then unheard[provider_of(owner)] = true end
  end
  wake_another(unheard, resource)
  return admitted
end
