-- KEYS: order, stream of the event, mails. ARGV: group, entry id, new status, the fields and values of the mail.
-- Only a placed order can be settled: a second delivery of the event changes nothing and mails nothing.
local settled = 0
if redis.call('HGET', KEYS[1], 'status') == 'placed' then
  redis.call('HSET', KEYS[1], 'status', ARGV[3])
  redis.call('XADD', KEYS[3], '*', unpack(ARGV, 4))
  settled = 1
end
redis.call('XACK', KEYS[2], ARGV[1], ARGV[2])
return settled
