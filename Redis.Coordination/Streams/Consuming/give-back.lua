-- KEYS: stream. ARGV: group, consumer, min idle in ms, entry ids. Makes entries that the consumer has not begun look
-- abandoned, and takes their last delivery back: what XNACK ... SILENT does on servers that have it.
for i = 4, #ARGV do
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])[1]
  if pending then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'IDLE', ARGV[3],
      'RETRYCOUNT', math.max(pending[4] - 1, 0), 'JUSTID')
  end
end
return 1
