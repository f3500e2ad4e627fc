-- keys: order, unsettled orders, settled orders. args: new status, order id, the event for the journal, the channel on which it is
-- told and the message. Returns whether the order was settled.
--@include inbox
return inbox(function(keys, args)
  redis.call('ZREM', keys[2], args[2])
  -- Only a placed order can be settled: the same event appended twice has two ids, and the second changes nothing and
  -- mails nothing. So no record of the event is needed, of which each would take 210 bytes.
  if redis.call('HGET', keys[1], 'status') ~= 'placed' then return 0, false, false end
  redis.call('XADD', keys[3], '*', 'id', args[2])
  redis.call('HSET', keys[1], 'status', args[1], 'event:2', args[3])
  -- Whoever looks after unsettled orders needs it no more.
  redis.call('HDEL', keys[1], 'entry')
  redis.call('PUBLISH', args[4], args[5])
  return 1, true, false
end)
