-- KEYS: data, log. ARGV: fencing token, write. Returns 0 when the token is stale.
--@include fencing
if not fencing_accepts(KEYS[1], ARGV[1]) then return 0 end
redis.call('HINCRBY', KEYS[1], 'writes', 1)
redis.call('RPUSH', KEYS[2], ARGV[1] .. ' ' .. ARGV[2])
return 1
