-- KEYS: stream, inbox, counts. ARGV: group, entry id, event id, number.
if redis.call('SADD', KEYS[2], ARGV[3]) == 1 then
  redis.call('HINCRBY', KEYS[3], ARGV[4], 1)
end
return redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
