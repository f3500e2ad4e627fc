-- KEYS: a string. Fails after a write.
redis.call('SET', KEYS[1], 'written')
return redis.call('LPUSH', KEYS[1], 'x')
