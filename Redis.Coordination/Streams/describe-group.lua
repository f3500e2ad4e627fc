-- KEYS: stream, dead letters. ARGV: group. Returns {lag or -1 when unknown, pending, age of the oldest pending entry in
-- ms or -1, consumers, dead letters}, or nothing when there is no such group.
--@include entry-ids
if redis.call('EXISTS', KEYS[1]) == 0 then return {} end
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local info = fields_of(group)
  if info['name'] == ARGV[1] then
    local age = -1
    if info['pending'] > 0 then
      local time = redis.call('TIME')
      local oldest = redis.call('XPENDING', KEYS[1], ARGV[1])[2]
      age = math.max(0, time[1] * 1000 + math.floor(time[2] / 1000) - tonumber(string.match(oldest, '^%d+')))
    end
    local lag = info['lag'] or -1
    -- A replica counts fewer reads than its primary has made (seen with 7.0.15), so after a failover the server's lag may
    -- stay above zero for ever. Nothing lies behind the last entry, whatever it has counted.
    local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
    if not last or not id_before(info['last-delivered-id'], last[1]) then lag = 0 end
    return { lag, info['pending'], age, info['consumers'], redis.call('XLEN', KEYS[2]) }
  end
end
return {}
