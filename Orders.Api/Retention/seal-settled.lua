-- KEYS: settled orders of a partition. ARGV: a time in ms, or '' for now. Sees to it that no order gets there with an id before it, be it
-- that the clock of the next primary is behind. A time in the future is now. Returns it.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local at = ARGV[1] == '' and now or math.min(tonumber(ARGV[1]), now)
local last = 0
if redis.call('EXISTS', KEYS[1]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then last = tonumber(string.match(info[i + 1], '^%d+')) end
  end
end
if last < at then
  -- The last id stays when the entry goes, also of a stream that has none.
  local id = string.format('%.0f-0', at)
  redis.call('XADD', KEYS[1], id, 'sealed', 1)
  redis.call('XDEL', KEYS[1], id)
end
return string.format('%.0f', at)
