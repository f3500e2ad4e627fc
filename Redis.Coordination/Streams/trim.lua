-- KEYS: stream. ARGV: ms for which entries are kept. Removes older entries that no group needs; returns how many.
--@include entry-ids
--@include server-ms
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local groups = redis.call('XINFO', 'GROUPS', KEYS[1])
if #groups == 0 then return 0 end
local bound = string.format('%.0f-0', math.max(0, server_ms() - ARGV[1]))
for _, group in ipairs(groups) do
  local info = fields_of(group)
  local needed = info['last-delivered-id']
  if info['pending'] > 0 then
    local oldest = redis.call('XPENDING', KEYS[1], info['name'])[2]
    if id_before(oldest, needed) then needed = oldest end
  end
  if id_before(needed, bound) then bound = needed end
end
-- Removes ids below the bound, in whole blocks, at most ten thousand per call.
return redis.call('XTRIM', KEYS[1], 'MINID', '~', bound)
