-- KEYS: see permit-state. ARGV: owner, TTL in ms. Returns 1, or 0 when it has run out.
--@include wake-waiter
--@include mint-token
--@include server-ms
--@include permit-state
if not renew(ARGV[1], server_ms(), tonumber(ARGV[2])) then return 0 end
-- As in mint-token: the last token must outlive whoever has it.
redis.call('PEXPIRE', fence, '96400000')
return 1
