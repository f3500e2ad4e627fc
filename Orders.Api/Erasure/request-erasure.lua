-- KEYS: requests to erase data, the customer's orders. ARGV: customer. Notes how many orders the request is about, which are the
-- first ones of the list; a later request is about more. Returns the number.
local orders = redis.call('LLEN', KEYS[2])
if orders > 0 then redis.call('ZADD', KEYS[1], orders, ARGV[1]) end
return orders
