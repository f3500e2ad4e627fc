--@include fencing
-- KEYS: product, items set aside. ARGV: fencing token; for an order whose reservation has expired the quantity to give back
-- without a record of the items, and ms to remember that. Returns given, nothing or stale.
-- The fence first, also when there is nothing to give back: whoever took the lease before us and is only paused must not
-- take items for this order any more.
if redis.call('EXISTS', KEYS[1]) == 0 then return 'nothing' end
if not fencing_accepts(KEYS[1], ARGV[1]) then return 'stale' end
local quantity, counted = unpack(redis.call('HMGET', KEYS[2], 'quantity', 'counted'))
if quantity then
  redis.call('DEL', KEYS[2])
elseif ARGV[2] and redis.call('EXISTS', KEYS[2]) == 0 then
  -- The record of the items expires only when they were counted as sold.
  quantity, counted = ARGV[2], '1'
  redis.call('HSET', KEYS[2], 'returned', 1)
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
else
  return 'nothing'
end
redis.call('HINCRBY', KEYS[1], 'stock', quantity)
if counted then redis.call('HINCRBY', KEYS[1], 'sold', -quantity) end
return 'given'
