-- KEYS: stream, dead letters. ARGV: group, entry id, event id, reason, deliveries.
-- Copies and acknowledges the entry atomically, and only while it is pending, so that it is copied once. The copy comes
-- first: an error in it (a key of another type, for example) ends the script and leaves the entry pending.
--@include server-ms
--@include event-entry
--@include pack-fields
if not redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1)[1] then return 0 end
local same = is_event(KEYS[1], ARGV[2], ARGV[3])
-- Another event has the id at this primary, and a delivery of its own.
if same == false then return 0 end
if same then
  redis.call('XADD', KEYS[2], '*', 'dead_group', ARGV[1], 'dead_entry_id', ARGV[2], 'dead_reason', ARGV[4],
    'dead_deliveries', ARGV[5], 'dead_at_ms', string.format('%.0f', server_ms()),
    unpack(pack_fields(redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1][2])))
end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
return same and 1 or 0
