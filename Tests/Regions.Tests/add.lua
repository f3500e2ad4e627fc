-- KEYS: a list. ARGV: what is appended. Returns its length.
return redis.call('RPUSH', KEYS[1], ARGV[1])
