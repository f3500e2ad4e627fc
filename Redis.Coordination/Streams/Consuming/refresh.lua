-- KEYS: stream. ARGV: group, consumer, then alternating entry ids and idle times in ms. Sets the idle time of the entries
-- that the consumer still owns, so that nobody claims them too early. JUSTID leaves the delivery count unchanged.
for i = 3, #ARGV, 2 do
  if redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])[1] then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'IDLE', ARGV[i + 1], 'JUSTID')
  end
end
return 1
