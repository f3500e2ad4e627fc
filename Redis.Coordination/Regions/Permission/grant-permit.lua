-- KEYS: permission, who was permitted last, who before, who hands over. ARGV: 'REGION EPOCH', epoch, end in ms of this server's clock.
-- The end is absolute: however late this runs, as behind a freeze, it grants nothing that is over. The last one outlives the
-- permission and tells whose data this is. With its end it marks a place in the stream of writes: what a region that was lost has
-- written behind the last mark that came over is what the other one has not got.
-- Returns 1, or what was granted under a higher epoch.
local last = redis.call('GET', KEYS[2])
if last and string.sub(last, 1, #ARGV[1] + 1) ~= ARGV[1] .. ' ' then
  if tonumber(string.match(last, ' (%d+)')) > tonumber(ARGV[2]) then return last end
  if string.match(last, '^%S+') ~= string.match(ARGV[1], '^%S+') then redis.call('SET', KEYS[3], last) end
end
if redis.call('GET', KEYS[4]) == ARGV[1] then return 1 end
redis.call('SET', KEYS[2], ARGV[1] .. ' ' .. ARGV[3])
redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[3])
return 1
