-- KEYS: stream, then for each line of the order: product, reserved items. ARGV: group, entry id, ms to keep the record of
-- the items. Returns 1, or 0 when there is no such entry.
-- The entry may have been read from a primary that has been replaced since; then the order does not exist here either.
if #redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2]) == 0 then return 0 end
-- The field 'counted' makes a second delivery harmless; returned items are not counted.
for i = 2, #KEYS, 2 do
  local quantity = redis.call('HGET', KEYS[i + 1], 'quantity')
  if quantity and redis.call('HSETNX', KEYS[i + 1], 'counted', 1) == 1 then
    redis.call('HINCRBY', KEYS[i], 'sold', quantity)
    redis.call('PEXPIRE', KEYS[i + 1], ARGV[3])
  end
end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
return 1
