-- Takes the customer out of an order. KEYS: order, its journals as earlier versions kept them (2). ARGV: what stands for the
-- customer, then names and texts of the events of those journals, without the customer. Returns erased, waiting or gone.
local status = redis.call('HGET', KEYS[1], 'status')
if not status then return 'gone' end
if status == 'placed' then return 'waiting' end
redis.call('HSET', KEYS[1], 'user_id', unpack(ARGV))
redis.call('HDEL', KEYS[1], 'email')
redis.call('UNLINK', KEYS[2], KEYS[3])
return 'erased'
