-- KEYS: stream, dead letters. ARGV: group. Returns {lag or -1 when unknown, pending, age of the oldest pending entry in
-- ms or -1, consumers, dead letters}, or an empty array when there is no such group.
--@include entry-ids
--@include server-ms
if redis.call('EXISTS', KEYS[1]) == 0 then return {} end
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local info = fields_of(group)
  if info['name'] == ARGV[1] then
    local age = -1
    if info['pending'] > 0 then
      local oldest = redis.call('XPENDING', KEYS[1], ARGV[1])[2]
      age = math.max(0, server_ms() - tonumber(string.match(oldest, '^%d+')))
    end
    local lag = info['lag'] or -1
    -- A replica counts fewer reads than its primary (seen with 7.0.15), so after a failover the lag that the server reports
    -- may stay above zero for ever. A group that has read the last entry has no lag, whatever the server has counted.
    local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
    if not last or not id_before(info['last-delivered-id'], last[1]) then lag = 0 end
    return { lag, info['pending'], age, info['consumers'], redis.call('XLEN', KEYS[2]) }
  end
end
return {}
