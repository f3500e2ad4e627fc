-- KEYS: stream. ARGV: group, entry ids. Acknowledges them, and deletes those that every group has acknowledged, like
-- XACKDEL ... ACKED on servers that have it.
--@include still-needed
local groups = redis.call('XINFO', 'GROUPS', KEYS[1])
for i = 2, #ARGV do
  redis.call('XACK', KEYS[1], ARGV[1], ARGV[i])
  if not still_needed(KEYS[1], groups, ARGV[i]) then redis.call('XDEL', KEYS[1], ARGV[i]) end
end
return 1
