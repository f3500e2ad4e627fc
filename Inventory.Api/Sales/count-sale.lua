-- Counts one line of an order that is certainly placed. KEYS: product, items set aside, deadlines. ARGV: ms to keep the record of the
-- items, their member of the deadlines. The mark on the items makes a repetition harmless; items that were given back count for nothing.
local quantity = redis.call('HGET', KEYS[2], 'quantity')
if quantity and redis.call('HSETNX', KEYS[2], 'counted', 1) == 1 then
  redis.call('HINCRBY', KEYS[1], 'sold', quantity)
  redis.call('PEXPIRE', KEYS[2], ARGV[1])
end
-- The order is placed: its items are not to be taken back.
return redis.call('ZREM', KEYS[3], ARGV[2])
