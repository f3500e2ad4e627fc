-- keys: order. args: new status. Returns whether the order was settled.
--@include inbox
return inbox(function(keys, args)
  -- Only a placed order can be settled: if the order's event was appended twice, the second one changes nothing and
  -- requests no mail.
  if redis.call('HGET', keys[1], 'status') ~= 'placed' then return 0, false end
  redis.call('HSET', keys[1], 'status', args[1])
  return 1
end)
