-- KEYS: stream. ARGV: group, entry ids, at most some thousands.
return redis.call('XACK', KEYS[1], unpack(ARGV))
