-- keys: order, unsettled orders. args: new status, order id. Returns whether the order was settled.
--@include inbox
return inbox(function(keys, args)
  redis.call('ZREM', keys[2], args[2])
  -- Only a placed order can be settled: the same event appended twice has two ids, and the second changes nothing and
  -- mails nothing.
  if redis.call('HGET', keys[1], 'status') ~= 'placed' then return 0, false end
  redis.call('HSET', keys[1], 'status', args[1])
  return 1
end)
