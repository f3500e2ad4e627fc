-- The least that an order costs: checks and takes the stock, writes the order, appends the event.
-- KEYS: product, order, stream. ARGV: quantity, user, mail address, the event. Returns the price, or nil when it is sold out.
local product = redis.call('HMGET', KEYS[1], 'stock', 'price')
if not product[1] or tonumber(product[1]) < tonumber(ARGV[1]) then return false end
redis.call('HINCRBY', KEYS[1], 'stock', -ARGV[1])
redis.call('HSET', KEYS[2], 'user_id', ARGV[2], 'email', ARGV[3], 'price', product[2], 'quantity', ARGV[1])
redis.call('XADD', KEYS[3], '*', 'event', ARGV[4])
return product[2]
