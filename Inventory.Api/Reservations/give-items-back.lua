--@include fencing
-- KEYS: product, reserved items. ARGV: fencing token. Returns given, nothing or stale.
-- The fence comes first, even when there is nothing to return: an earlier holder of the lease that is only paused must not
-- be able to take items for this order afterwards.
if redis.call('EXISTS', KEYS[1]) == 0 then return 'nothing' end
if not fencing_accepts(KEYS[1], ARGV[1]) then return 'stale' end
local quantity = redis.call('HGET', KEYS[2], 'quantity')
if not quantity then return 'nothing' end
redis.call('HINCRBY', KEYS[1], 'stock', quantity)
if redis.call('HEXISTS', KEYS[2], 'counted') == 1 then
  redis.call('HINCRBY', KEYS[1], 'sold', -quantity)
end
redis.call('DEL', KEYS[2])
return 'given'
