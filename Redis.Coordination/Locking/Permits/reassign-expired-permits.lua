-- KEYS: see permit-state. ARGV: claim time in ms, limit, resource.
-- Ends what has run out, and grants what is free to those who wait.
-- Returns ms until the first of the present claims runs out, or 0 without one.
--@include wake-waiter
--@include mint-token
--@include server-ms
--@include permit-state
local now = server_ms()
expire(now)
admit(ARGV[3], tonumber(ARGV[2]), tonumber(ARGV[1]), now)
return first_claim(now)
