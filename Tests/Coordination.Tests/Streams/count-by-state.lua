-- keys: hash. args: event id. Counts it when the hash does not have it; that tells whether it was, and nothing else need.
--@include inbox
return inbox(function(keys, args)
  if redis.call('HSETNX', keys[1], args[1], 1) == 0 then return 0, false, false end
  return 1, true, false
end)
