-- KEYS: lock, counter. ARGV: owner, TTL in ms. Returns the fencing token, or 0 when the lock is held.
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 0 end
return redis.call('INCR', KEYS[2])
