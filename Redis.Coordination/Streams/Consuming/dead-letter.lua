-- KEYS: stream, dead letters. ARGV: group, entry id, reason, deliveries.
-- Copies and acknowledges the entry atomically, and only while it is pending, so that it is copied once. The copy comes
-- first: an error in it (a key of another type, for example) ends the script and leaves the entry pending.
--@include server-ms
if not redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1)[1] then return 0 end
local entry = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
if entry then
  redis.call('XADD', KEYS[2], '*', 'dead_group', ARGV[1], 'dead_entry_id', ARGV[2], 'dead_reason', ARGV[3],
    'dead_deliveries', ARGV[4], 'dead_at_ms', string.format('%.0f', server_ms()),
    unpack(entry[2]))
end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
return entry and 1 or 0
