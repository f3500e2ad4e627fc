-- The queue is a sorted set of owners by their fencing tokens, which are minted when they queue: first come first served,
-- and tokens rise in the order of service. Its head bears a star while the lease is claimed for it: handed over and not
-- confirmed yet. Needs wake-waiter.

-- The claim at the head was not confirmed in time: its process is dead, frozen or cut off. All that it has queued goes,
-- so that it costs the others one claim and not one for each; whoever lives there queues again.
local function drop_claimant(queue, head)
  local provider = provider_of(string.sub(head, 2))
  redis.call('ZREM', queue, head)
  for _, entry in ipairs(redis.call('ZRANGE', queue, 0, -1)) do
    if provider_of(entry) == provider then redis.call('ZREM', queue, entry) end
  end
end

-- Makes the first waiter the owner for as long as a claim lasts, and returns it and its token; nil when nobody waits.
-- Call it when the lease is free, or is the caller's to give.
local function hand_over_to_first(lease, queue, giver, claim)
  local head = redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')
  if head[1] and string.sub(head[1], 1, 1) == '*' then
    if head[1] == '*' .. giver then redis.call('ZREM', queue, head[1]) else drop_claimant(queue, head[1]) end
    head = redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')
  end
  local owner, token = head[1], head[2]
  if not owner then return nil end
  -- Star first: an empty queue would be gone, and its expiry with it.
  redis.call('ZADD', queue, token, '*' .. owner)
  redis.call('ZREM', queue, owner)
  redis.call('SET', lease, owner .. ':' .. token, 'PX', claim)
  if not wake(owner, lease, token, claim) then
    -- Somebody else has to look when the claim runs out: the first in the queue who hears it.
    local asked = { [provider_of(owner)] = true }
    for _, entry in ipairs(redis.call('ZRANGE', queue, 1, -1)) do
      if not asked[provider_of(entry)] then
        asked[provider_of(entry)] = true
        if wake(entry, lease) then break end
      end
    end
  end
  return owner, token
end
