-- KEYS: requests to erase data, the customer's orders. ARGV: customer, ids of orders from which he is erased. Takes these from his
-- list; the request ends with the last one that it is about. Returns how many are left.
local left = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or '0')
for i = 2, #ARGV do left = left - redis.call('LREM', KEYS[2], 1, ARGV[i]) end
-- Orders that are deleted because they are old leave the list too.
left = math.min(left, redis.call('LLEN', KEYS[2]))
if left > 0 then
  redis.call('ZADD', KEYS[1], left, ARGV[1])
  return left
end
redis.call('ZREM', KEYS[1], ARGV[1])
return 0
