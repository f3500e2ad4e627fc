-- KEYS: lease. ARGV: owner, channel on which waiters listen. Returns 1, or 0 when the lease was not ours any more.
-- Compare and delete in one step: a plain DEL could remove the lease of the next owner.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[2], '')
return 1
