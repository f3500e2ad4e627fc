-- KEYS: see permit-state. ARGV: owner, TTL in ms. Returns 1, or 0 when it has run out.
--@include wake-waiter
--@include mint-token
--@include server-ms
--@include permit-state
local now = server_ms()
local until_ms = redis.call('ZSCORE', holders, ARGV[1])
if not until_ms or tonumber(until_ms) <= now then return 0 end
grant(ARGV[1], redis.call('HGET', permits, ARGV[1]), now, tonumber(ARGV[2]))
return 1
