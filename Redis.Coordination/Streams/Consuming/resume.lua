-- KEYS: stream. ARGV: group, consumer, entry id after which to go on, count, ids of entries that it has in its hands.
-- Claims what is pending for the consumer itself. Returns {id to go on from, '' at the end, entries, deleted ids,
-- delivery counts}. XREADGROUP with an id would give the entries without the counts, and raise the counts of those in
-- the hands of handlers too: a poisonous entry would never reach the dead letters, and a sound one might.
local held = {}
for i = 5, #ARGV do held[ARGV[i]] = true end
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], '(' .. ARGV[3], '+', ARGV[4], ARGV[2])
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
