-- KEYS: lease, queue, last fencing token. ARGV: owner, claim time in ms (negative: do not queue), TTL in ms.
--@include take-or-queue
return take_or_queue(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2], ARGV[3], redis.call('TIME'))
