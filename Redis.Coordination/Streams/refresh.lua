-- KEYS: stream. ARGV: group, consumer, entry ids. Sets the idle time of the entries that the consumer still has to
-- zero, so that nobody takes them while their handler runs. JUSTID leaves the delivery count as it is.
for i = 3, #ARGV do
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])
  if pending[1] then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')
  end
end
return 1
