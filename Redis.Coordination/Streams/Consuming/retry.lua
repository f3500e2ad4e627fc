-- KEYS: stream. ARGV: group, consumer, entry ids. Claims those that are still pending for this consumer.
-- Returns {entries, delivery counts, deleted ids}.
local entries, counts, deleted = {}, {}, {}
for i = 3, #ARGV do
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])[1]
  if pending then
    local claimed = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i])
    if claimed[1] then
      entries[#entries + 1] = claimed[1]
      counts[#counts + 1] = pending[4] + 1
    else
      deleted[#deleted + 1] = ARGV[i]
    end
  end
end
return { entries, counts, deleted }
