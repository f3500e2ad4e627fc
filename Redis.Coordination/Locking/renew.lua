-- KEYS: lease. ARGV: owner, TTL in ms. Returns 1, or 0 when the lease is not ours any more.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
