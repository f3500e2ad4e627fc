-- KEYS: idempotency key. ARGV: order id, hash of the request, ms to remember it.
-- Returns {order id, hash, 1 if they are ours} of the first request with this key.
local first = redis.call('HMGET', KEYS[1], 'order_id', 'request')
if first[1] then return { first[1], first[2], 0 } end
redis.call('HSET', KEYS[1], 'order_id', ARGV[1], 'request', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return { ARGV[1], ARGV[2], 1 }
