-- KEYS: stream. ARGV: group, consumer, entry ids. Claims those that are still pending for this consumer.
-- Returns {entries, delivery counts, deleted ids, ids that were delivered and are pending for nobody}.
--@include entry-ids
local entries, counts, deleted, dropped = {}, {}, {}, {}
local function is_delivered(id)
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local info = fields_of(group)
    if info['name'] == ARGV[1] then return not id_before(info['last-delivered-id'], id) end
  end
  return false
end
for i = 3, #ARGV do
  local id = ARGV[i]
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1)[1]
  if not pending then
    if redis.call('XRANGE', KEYS[1], id, id)[1] and is_delivered(id) then dropped[#dropped + 1] = id end
  elseif pending[2] == ARGV[2] then
    local claimed = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id)
    if claimed[1] then
      entries[#entries + 1] = claimed[1]
      counts[#counts + 1] = pending[4] + 1
    else
      deleted[#deleted + 1] = id
    end
  end
end
return { entries, counts, deleted, dropped }
