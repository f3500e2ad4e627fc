-- KEYS: the item. ARGV: fencing token. Returns how many are left, or -1 when there is none or the lease was handed on.
--@include fencing
if not fencing_accepts(KEYS[1], ARGV[1]) then return -1 end
local stock = tonumber(redis.call('HGET', KEYS[1], 'stock') or '10')
if stock < 1 then return -1 end
redis.call('HSET', KEYS[1], 'stock', stock - 1)
return stock - 1
