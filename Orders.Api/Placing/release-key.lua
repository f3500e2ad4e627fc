-- KEYS: idempotency key. ARGV: order id. Returns whether the key belonged to it.
if redis.call('HGET', KEYS[1], 'order_id') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
