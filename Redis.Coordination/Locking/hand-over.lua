-- Needs wake.
-- The queue is a list of owner tokens, first come first served. Its head bears a star while the lease is claimed for
-- it: handed over and not confirmed yet.

-- The claim at the head was not confirmed in time: its process is dead, frozen or cut off. All that it has queued goes,
-- so that it costs the others one claim and not one for each; whoever lives there queues again.
local function drop_claimant(queue)
  local provider = provider_of(string.sub(redis.call('LPOP', queue), 2))
  for _, entry in ipairs(redis.call('LRANGE', queue, 0, -1)) do
    if provider_of(entry) == provider then redis.call('LREM', queue, 1, entry) end
  end
end

-- Makes the first waiter the owner for as long as a claim lasts, and returns its token; false when nobody waits.
-- Call it when the lease is free, or is the caller's to give.
local function hand_over(lease, queue, giver, claim)
  local head = redis.call('LINDEX', queue, 0)
  if head and string.sub(head, 1, 1) == '*' then
    if head == '*' .. giver then redis.call('LPOP', queue) else drop_claimant(queue) end
    head = redis.call('LINDEX', queue, 0)
  end
  if not head then return false end
  redis.call('SET', lease, head, 'PX', claim)
  redis.call('LSET', queue, 0, '*' .. head)
  if not wake(head, lease) then
    -- Somebody else has to look when the claim runs out: the first in the queue who hears it.
    local asked = { [provider_of(head)] = true }
    for _, entry in ipairs(redis.call('LRANGE', queue, 1, -1)) do
      if not asked[provider_of(entry)] then
        asked[provider_of(entry)] = true
        if wake(entry, lease) then break end
      end
    end
  end
  return head
end
