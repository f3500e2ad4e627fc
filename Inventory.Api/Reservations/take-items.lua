--@include fencing
-- KEYS: product, reserved items. ARGV: fencing token, quantity. Returns taken, short, unknown or stale.
local stock = redis.call('HGET', KEYS[1], 'stock')
if not stock then return 'unknown' end
if not fencing_accepts(KEYS[1], ARGV[1]) then return 'stale' end
if redis.call('EXISTS', KEYS[2]) == 1 then return 'taken' end
if tonumber(stock) < tonumber(ARGV[2]) then return 'short' end
redis.call('HINCRBY', KEYS[1], 'stock', -ARGV[2])
redis.call('HSET', KEYS[2], 'quantity', ARGV[2])
return 'taken'
