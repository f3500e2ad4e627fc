-- KEYS: stream. ARGV: group, consumer, entry id after which to continue, count, 1 to claim what is pending for others too, ids of
-- entries in flight. Claims what is pending for the consumer itself, in the order of the stream.
-- Returns {id after which to continue or '' at the end, entries, deleted ids, delivery counts}. XREADGROUP with an id would return the
-- entries without the counts, and would raise the counts of entries in flight too: a poison entry would never reach the dead letters,
-- and a good one might.
local held = {}
for i = 6, #ARGV do held[ARGV[i]] = true end
local query = { KEYS[1], ARGV[1], '(' .. ARGV[3], '+', ARGV[4], ARGV[5] ~= '1' and ARGV[2] or nil }
local pending = redis.call('XPENDING', unpack(query))
local last, entries, deleted, counts = '', {}, {}, {}
for _, item in ipairs(pending) do
  last = item[1]
  if not held[last] then
    local claimed = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, last)
    if claimed[1] then
      entries[#entries + 1] = claimed[1]
      counts[#counts + 1] = item[4] + 1
    else
      deleted[#deleted + 1] = last
    end
  end
end
return { last, entries, deleted, counts }
