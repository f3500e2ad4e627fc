--@include fencing
-- KEYS: product. ARGV: fencing token, name, price, stock. Returns created, replaced or stale.
local existed = redis.call('HEXISTS', KEYS[1], 'name')
if not fencing_accepts(KEYS[1], ARGV[1]) then return 'stale' end
redis.call('HSET', KEYS[1], 'name', ARGV[2], 'price', ARGV[3], 'stock', ARGV[4])
return existed == 1 and 'replaced' or 'created'
