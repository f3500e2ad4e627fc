-- KEYS: idempotency key. ARGV: order id, hash of the request, ms to remember it.
-- Returns {order id, hash} of the first request with this key.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'order_id', ARGV[1], 'request', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
else
  -- Written again, so that a WAIT after this script covers an earlier attempt too.
  redis.call('HSET', KEYS[1], 'order_id', redis.call('HGET', KEYS[1], 'order_id'))
end
return redis.call('HMGET', KEYS[1], 'order_id', 'request')
