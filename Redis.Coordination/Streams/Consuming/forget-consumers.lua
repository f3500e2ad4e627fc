-- KEYS: stream. ARGV: group, calling consumer, idle time in ms. Removes the names of consumers that have been idle so long.
-- Only those with nothing pending: DELCONSUMER drops a consumer's pending entries, which would never be delivered again.
-- They are reclaimed first, and one script checks and removes.
--@include entry-ids
local removed = 0
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local info = fields_of(consumer)
  if info['name'] ~= ARGV[2] and info['pending'] == 0 and info['idle'] >= tonumber(ARGV[3]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], info['name'])
    removed = removed + 1
  end
end
return removed
