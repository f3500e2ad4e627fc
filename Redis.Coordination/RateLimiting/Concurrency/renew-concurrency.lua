-- KEYS: see concurrency-state. ARGV: owner, TTL in ms. Returns 1, or 0 when it has run out.
--@include wake-waiter
--@include server-ms
--@include concurrency-state
return renew(ARGV[1], server_ms(), tonumber(ARGV[2])) and 1 or 0
