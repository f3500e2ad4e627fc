-- Notes in the journal of an order that its mail was sent, and acknowledges the request of the mail. KEYS: stream of the requests, order.
-- ARGV: group, entry id, event id, now in ms, channel on which it is told, message. Returns 1 when it is noted, 0 when it was
-- before or there is no such order.
--@include event-entry
local placed_at = tonumber(redis.call('HGET', KEYS[2], 'placed_at') or '')
local noted = 0
-- Of earlier versions the time is text, and how long after it the mail was sent is not known. A mail may outlive its order.
if placed_at or redis.call('HEXISTS', KEYS[2], 'placed_at') == 1 then
  local after = math.max(0, tonumber(ARGV[4]) - (placed_at or tonumber(ARGV[4])))
  noted = redis.call('HSETNX', KEYS[2], 'event:3', string.format('["order-mailed",1,%d]', after))
  if noted == 1 then redis.call('PUBLISH', ARGV[5], ARGV[6]) end
end
acknowledge(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
return noted
