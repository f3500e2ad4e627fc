-- KEYS: stream. ARGV: group, then entry ids and event ids in turn. For entries that were read from another primary, or by way of
-- another connection: returns for each 1 when it is that event's here, 0 when it is another's and -1 when it is
-- not there; those are not to be acknowledged by their id.
--@include event-entry
local verified = {}
for i = 2, #ARGV, 2 do
  local same = is_event(KEYS[1], ARGV[i], ARGV[i + 1])
  verified[i / 2] = same and 1 or same == nil and -1 or 0
  -- Trimmed, or never replicated. Now, while nobody else has the id: a primary whose clock is behind may yet give it away.
  if same == nil then redis.call('XACK', KEYS[1], ARGV[1], ARGV[i]) end
end
return verified
