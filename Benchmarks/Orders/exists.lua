-- KEYS: a key. Returns 1 when it is there.
return redis.call('EXISTS', KEYS[1])
