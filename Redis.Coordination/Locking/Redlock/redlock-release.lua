-- KEYS: lease, last fencing token. ARGV: owner, fencing token, channel to tell waiters on or ''.
-- Returns 1, or 0 when there is nothing of this owner under this token.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
-- The undoing of an earlier attempt may come over another connection and late, behind an attempt that succeeded.
if tonumber(redis.call('GET', KEYS[2]) or '0') > tonumber(ARGV[2]) then return 0 end
redis.call('DEL', KEYS[1])
-- A user who may not publish must still be able to release.
if ARGV[3] ~= '' then redis.pcall('PUBLISH', ARGV[3], '') end
return 1
