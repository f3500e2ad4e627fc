-- KEYS: product, items set aside. ARGV: ms to keep the record of the items.
-- The mark on the items makes a second delivery of the event harmless; items that were given back count for nothing.
local quantity = redis.call('HGET', KEYS[2], 'quantity')
if not quantity or redis.call('HSETNX', KEYS[2], 'counted', 1) == 0 then return 0 end
redis.call('HINCRBY', KEYS[1], 'sold', quantity)
redis.call('PEXPIRE', KEYS[2], ARGV[1])
return 1
