-- KEYS: counter. ARGV: fencing token, new count. The write that the lease protects, as a service would make it.
--@include fencing
if not fencing_accepts(KEYS[1], ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'count', ARGV[2])
return 1
