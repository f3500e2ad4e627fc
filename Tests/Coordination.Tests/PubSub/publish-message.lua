-- ARGV: PUBLISH or SPUBLISH, channel, message. Returns who got it.
return redis.call(ARGV[1], ARGV[2], ARGV[3])
