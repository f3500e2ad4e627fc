-- KEYS: order, stream, journal of the order, mark of a closed order, unsettled orders. ARGV: ms until which the order may
-- be placed, order id, number of the order's fields and values, these, the fields and values of the event. Returns placed,
-- existed or late.
local placed_at = redis.call('HGET', KEYS[1], 'placed_at')
if placed_at then
  -- Written again, so that a WAIT after this script covers the order too: the earlier attempt may not have been
  -- acknowledged by a replica.
  redis.call('HSET', KEYS[1], 'placed_at', placed_at)
  return 'existed'
end
-- After the deadline the inventory returns the items, relying on this check: no order can be placed any more.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now > tonumber(ARGV[1]) or redis.call('EXISTS', KEYS[4]) == 1 then return 'late' end
local last = 3 + tonumber(ARGV[3])
redis.call('HSET', KEYS[1], unpack(ARGV, 4, last))
redis.call('HSET', KEYS[1], 'entry', redis.call('XADD', KEYS[2], '*', unpack(ARGV, last + 1)))
redis.call('XADD', KEYS[3], '*', unpack(ARGV, last + 1))
redis.call('ZADD', KEYS[5], now, ARGV[2])
return 'placed'
