-- KEYS: state, stream. ARGV: group, entry id.
redis.call('INCR', KEYS[1])
return redis.call('XACK', KEYS[2], ARGV[1], ARGV[2])
