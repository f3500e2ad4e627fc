-- KEYS: list. ARGV: number.
--@include inbox
return inbox(function(keys, args)
  return redis.call('RPUSH', keys[1], args[1])
end)
