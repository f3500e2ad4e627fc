-- KEYS: counter. Returns its new value.
return redis.call('INCR', KEYS[1])
