-- KEYS: the item. ARGV: fencing token, items in stock. Returns 1, or 0 when somebody has written under a later lease.
--@include fencing
if not fencing_accepts(KEYS[1], ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'stock', ARGV[2])
return 1
