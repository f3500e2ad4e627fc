-- keys: counter. args: what to return; 0 withholds the events.
--@include inbox
return inbox(function(keys, args)
  redis.call('INCR', keys[1])
  return tonumber(args[1]), args[1] ~= '0'
end)
