-- KEYS: stream. ARGV: group, consumer that asks, ms without a sign of life. Removes the names of consumers that are gone.
-- Only with nothing pending: DELCONSUMER drops a consumer's pending entries, which nobody would ever get again. They are
-- reclaimed first, and the check and the removal are one step.
--@include entry-ids
local removed = 0
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local info = fields_of(consumer)
  if info['name'] ~= ARGV[2] and info['pending'] == 0 and info['idle'] >= tonumber(ARGV[3]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], info['name'])
    removed = removed + 1
  end
end
return removed
