-- KEYS: counts. ARGV: number.
--@include inbox
return inbox(function(keys, args)
  return redis.call('HINCRBY', keys[1], args[1], 1)
end)
