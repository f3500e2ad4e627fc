-- keys: order. args: new status. Returns whether the order was settled.
--@include inbox
return inbox(function(keys, args)
  -- Only a placed order can be settled: the same event appended twice has two ids, and the second changes nothing and
  -- mails nothing.
  if redis.call('HGET', keys[1], 'status') ~= 'placed' then return 0, false end
  redis.call('HSET', keys[1], 'status', args[1])
  return 1
end)
