-- KEYS: state, stream. ARGV: new state, then the fields of the entry.
redis.call('SET', KEYS[1], ARGV[1])
return redis.call('XADD', KEYS[2], '*', unpack(ARGV, 2))
