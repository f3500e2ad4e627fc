-- KEYS: stream. ARGV: group, consumer, min idle in ms, entry ids. Releases entries that the consumer has not started: sets
-- their idle time so that others may claim them, and reverts the delivery count, like XNACK ... SILENT on servers that have it.
for i = 4, #ARGV do
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])[1]
  if pending then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'IDLE', ARGV[3],
      'RETRYCOUNT', math.max(pending[4] - 1, 0), 'JUSTID')
  end
end
return 1
