-- Deletes an order that was settled long ago. KEYS: order, its journals as earlier versions kept them (2), settled orders, the
-- customer's orders, requests to erase data. ARGV: order id, its entry among the settled ones, customer. Returns 1, or 0 when the
-- order is not settled.
redis.call('XDEL', KEYS[4], ARGV[2])
if redis.call('HGET', KEYS[1], 'status') == 'placed' then return 0 end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3])
-- From the head, where the oldest are.
local removed = redis.call('LREM', KEYS[5], 1, ARGV[1])
-- A request to erase is about the first ones of the list, and it was one of them.
if removed == 1 and redis.call('ZSCORE', KEYS[6], ARGV[3])
  and tonumber(redis.call('ZINCRBY', KEYS[6], -1, ARGV[3])) < 1 then
  redis.call('ZREM', KEYS[6], ARGV[3])
end
return 1
