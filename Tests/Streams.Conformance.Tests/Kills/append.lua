-- KEYS: stream. ARGV: the fields of the entry.
return redis.call('XADD', KEYS[1], '*', unpack(ARGV))
