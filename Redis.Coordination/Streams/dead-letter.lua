-- KEYS: stream, dead letters. ARGV: group, entry id, reason, deliveries.
-- Copy and acknowledgement are one step: XACK before XADD would lose the entry in a crash between them, and XADD
-- before XACK would copy it twice. Only whoever acknowledges copies.
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
local entry = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
if not entry then return 0 end
local time = redis.call('TIME')
redis.call('XADD', KEYS[2], '*', 'dead_group', ARGV[1], 'dead_entry_id', ARGV[2], 'dead_reason', ARGV[3],
  'dead_deliveries', ARGV[4], 'dead_at_ms', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)),
  unpack(entry[2]))
return 1
