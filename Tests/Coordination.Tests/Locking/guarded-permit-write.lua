-- KEYS: what is guarded. ARGV: fencing token, number of the permit. Returns 1, or 0 when the token is stale.
--@include fencing
if not fencing_accepts(KEYS[1], ARGV[1], ARGV[2]) then return 0 end
redis.call('HINCRBY', KEYS[1], 'writes', 1)
return 1
