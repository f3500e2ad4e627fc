-- KEYS: stream, deadlines, then for each line of the order: product, items set aside. ARGV: group, entry id, event id, ms to
-- keep the record of the items, then for each line its member of the deadlines. Returns 1, or 0 when the event is not there.
--@include event-entry
-- It may have been read at a primary that was replaced meanwhile, and then the order is not here either.
if not is_event(KEYS[1], ARGV[2], ARGV[3]) then return 0 end
-- The mark on the items makes a second delivery of the event harmless; items that were given back count for nothing.
for i = 3, #KEYS, 2 do
  local quantity = redis.call('HGET', KEYS[i + 1], 'quantity')
  if quantity and redis.call('HSETNX', KEYS[i + 1], 'counted', 1) == 1 then
    redis.call('HINCRBY', KEYS[i], 'sold', quantity)
    redis.call('PEXPIRE', KEYS[i + 1], ARGV[4])
  end
end
-- The order is placed: its items are not to be taken back.
redis.call('ZREM', KEYS[2], unpack(ARGV, 5))
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
return 1
