-- KEYS: order, mark of a closed order. ARGV: ms to keep the mark. Returns closed or placed.
local placed_at = redis.call('HGET', KEYS[1], 'placed_at')
if placed_at then
  -- Written again, as in place-order.lua.
  redis.call('HSET', KEYS[1], 'placed_at', placed_at)
  return 'placed'
end
redis.call('SET', KEYS[2], 1, 'PX', ARGV[1])
return 'closed'
