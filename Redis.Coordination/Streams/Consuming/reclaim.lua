-- KEYS: stream. ARGV: group, consumer, min idle in ms, cursor, count.
-- Claims idle entries of other consumers. Returns {next cursor, entries, deleted ids, delivery counts}. XAUTOCLAIM does not
-- return the delivery counts, and a separate query could return those of a later delivery.
local claimed = redis.call('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], 'COUNT', ARGV[5])
local counts = {}
for i, entry in ipairs(claimed[2]) do
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], entry[1], entry[1], 1)
  counts[i] = pending[1] and pending[1][4] or 1
end
return { claimed[1], claimed[2], claimed[3], counts }
