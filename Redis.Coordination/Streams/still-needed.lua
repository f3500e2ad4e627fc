-- Whether a group has not received the entry yet, or has it pending.
--@include entry-ids
local function still_needed(stream, groups, id)
  for _, group in ipairs(groups) do
    local info = fields_of(group)
    if id_before(info['last-delivered-id'], id)
        or (info['pending'] > 0 and redis.call('XPENDING', stream, info['name'], id, id, 1)[1]) then
      return true
    end
  end
  return false
end
