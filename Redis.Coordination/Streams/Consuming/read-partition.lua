-- KEYS: stream. ARGV: group, consumer, count. Gives new entries to the consumer.
-- Returns {entries, the id that the group has been given last}: a wait for what comes after that misses nothing.
--@include entry-ids
local streams = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', ARGV[3], 'STREAMS', KEYS[1], '>')
if streams then
  local entries = streams[1][2]
  return { entries, entries[#entries][1] }
end
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local info = fields_of(group)
  if info['name'] == ARGV[1] then return { {}, info['last-delivered-id'] } end
end
