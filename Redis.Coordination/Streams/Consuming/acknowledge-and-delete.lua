-- KEYS: stream. ARGV: group, entry ids. Acknowledges them, and deletes those that every group has acknowledged, like
-- XACKDEL ... ACKED on servers that have it.
--@include entry-ids
local groups = redis.call('XINFO', 'GROUPS', KEYS[1])
for i = 2, #ARGV do
  redis.call('XACK', KEYS[1], ARGV[1], ARGV[i])
  local needed = false
  for _, group in ipairs(groups) do
    local info = fields_of(group)
    if id_before(info['last-delivered-id'], ARGV[i])
        or (info['pending'] > 0 and redis.call('XPENDING', KEYS[1], info['name'], ARGV[i], ARGV[i], 1)[1]) then
      needed = true
      break
    end
  end
  if not needed then redis.call('XDEL', KEYS[1], ARGV[i]) end
end
return 1
