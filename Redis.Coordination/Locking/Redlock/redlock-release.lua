-- KEYS: lease, last fencing token. ARGV: owner, fencing token, channel to tell waiters on or '', 1 if the token was granted in
-- vain or 0.
-- Returns 1, or 0 when there is nothing of this owner under this token.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
-- The undoing of an earlier attempt may come over another connection and late, behind an attempt that succeeded.
local last, before = string.match(redis.call('GET', KEYS[2]) or '', '^(%d+) ?(%d*)')
if tonumber(last or '0') > tonumber(ARGV[2]) then return 0 end
redis.call('DEL', KEYS[1])
-- Nobody has written with it, and nobody else was granted the lease here since. Left as it is, it would refuse the renewals of a
-- holder that other nodes have, when this one has come back empty.
if ARGV[4] == '1' and last == ARGV[2] then
  if before == '' then redis.call('DEL', KEYS[2]) else redis.call('SET', KEYS[2], before, 'PX', 86400000) end
end
-- A user who may not publish must still be able to release.
if ARGV[3] ~= '' then redis.pcall('PUBLISH', ARGV[3], '') end
return 1
