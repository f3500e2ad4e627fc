-- KEYS: the order. ARGV: its status. Running it twice leads to the same state, which `repeatable` says.
redis.call('HSET', KEYS[1], 'status', ARGV[1])
