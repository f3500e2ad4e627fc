-- KEYS: data, log. ARGV: fencing token, write. The guarded write with the check left out: always 1.
redis.call('HINCRBY', KEYS[1], 'writes', 1)
redis.call('RPUSH', KEYS[2], ARGV[1] .. ' ' .. ARGV[2])
return 1
