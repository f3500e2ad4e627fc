-- KEYS: record of a reservation, deadlines, reserved items of each of its lines. ARGV: the record, ms to keep it, order id,
-- server time in ms until which the order may be placed (empty: no deadline any more), 'held' or 'none': whether the items
-- must be reserved (empty: either). Returns saved or elsewhere.
-- In a failover the items may have been changed at the old primary while this script runs at the new one. It then refuses;
-- otherwise the record would describe items that are not reserved.
if ARGV[5] ~= '' then
  for i = 3, #KEYS do
    if (redis.call('EXISTS', KEYS[i]) == 1) ~= (ARGV[5] == 'held') then return 'elsewhere' end
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if ARGV[4] == '' then
  redis.call('ZREM', KEYS[2], ARGV[3])
else
  redis.call('ZADD', KEYS[2], ARGV[4], ARGV[3])
end
return 'saved'
