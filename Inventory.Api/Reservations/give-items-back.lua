--@include fencing
-- KEYS: product, items set aside, deadlines, changes of products. ARGV: fencing token, member of the deadlines, ms to remember that they
-- are back, sku, how many changes are kept; for a placed order the quantity to give back when nothing tells any more what was taken.
-- Returns given, nothing or stale.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('ZREM', KEYS[3], ARGV[2])
  return 'nothing'
end
if not fencing_accepts(KEYS[1], ARGV[1]) then return 'stale' end
local quantity, counted, returned = unpack(redis.call('HMGET', KEYS[2], 'quantity', 'counted', 'returned'))
if not quantity and ARGV[6] and not returned then
  -- The record of the items expires only when they were counted as sold.
  quantity, counted = ARGV[6], '1'
end
if quantity then
  local name, price, stock = unpack(redis.call('HMGET', KEYS[1], 'name', 'price', 'stock'))
  redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[5], '*', 'sku', ARGV[4], 'name', name or '', 'price', price or '0', 'stock',
    string.format('%d', (stock or 0) + quantity))
end
-- A request that is still on its way finds that it comes too late, and a repetition of this one that it is done.
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], 'returned', 1)
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('ZREM', KEYS[3], ARGV[2])
if not quantity then return 'nothing' end
redis.call('HINCRBY', KEYS[1], 'stock', quantity)
if counted then redis.call('HINCRBY', KEYS[1], 'sold', -quantity) end
return 'given'
