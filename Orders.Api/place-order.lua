-- KEYS: order, mark of a closed order; then, unless only an order that exists is wanted: stream, unsettled orders, the customer's
-- orders, idempotency key if the order has one, the receipts of its reservation. ARGV: order id, 1 if it has an idempotency key
-- or '', number of the order's fields and values (0: only an order that exists is wanted), these, the event's fields and values.
-- Returns placed, existed, closed or unreserved.
local placed_at = redis.call('HGET', KEYS[1], 'placed_at')
if placed_at then
  -- Written again, so that a WAIT after this script covers the order too: the earlier attempt may not have been
  -- acknowledged by a replica.
  redis.call('HSET', KEYS[1], 'placed_at', placed_at)
  return 'existed'
end
-- After its deadline the inventory has the order closed and returns the items, relying on this check.
if ARGV[3] == '0' or redis.call('EXISTS', KEYS[2]) == 1 then return 'closed' end
-- In a failover the items, or the idempotency key, may have been written at the old primary only. Where they are here, what
-- makes the order durable makes them so too.
local receipts = 6
if ARGV[2] ~= '' then
  if redis.call('HGET', KEYS[6], 'order_id') ~= ARGV[1] then return 'unreserved' end
  receipts = 7
end
if receipts <= #KEYS and redis.call('EXISTS', unpack(KEYS, receipts)) < #KEYS - receipts + 1 then return 'unreserved' end
local last = 3 + tonumber(ARGV[3])
local entry = redis.call('XADD', KEYS[3], '*', unpack(ARGV, last + 1))
redis.call('HSET', KEYS[1], 'entry', entry, unpack(ARGV, 4, last))
redis.call('ZADD', KEYS[4], string.match(entry, '^%d+'), ARGV[1])
redis.call('RPUSH', KEYS[5], ARGV[1])
return 'placed'
