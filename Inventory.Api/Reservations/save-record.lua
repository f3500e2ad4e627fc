-- KEYS: record of a reservation. ARGV: the record, ms to keep it.
return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
