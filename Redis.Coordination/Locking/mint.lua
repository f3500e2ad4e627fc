-- The next fencing token. A counter alone goes back when a replica that missed writes is promoted, and an old holder
-- would then look newer. Server time in microseconds as a floor prevents it, as long as the clock of the new primary is
-- not behind that of the old one by more than the failover took.
local function mint(fence, ttl)
  -- Not for ever, as names may hold ids: the floor alone is enough once the lease has been free for a day.
  local keep = math.max(86400000, 2 * ttl)
  local time = redis.call('TIME')
  local token = time[1] .. string.rep('0', 6 - #time[2]) .. time[2]
  local last = redis.call('SET', fence, token, 'GET', 'PX', keep)
  if last and tonumber(last) >= tonumber(token) then
    -- Lua would write 1.7e+15. Doubles are exact to 9.0e+15, which as microseconds is the year 2255.
    token = string.format('%.0f', tonumber(last) + 1)
    redis.call('SET', fence, token, 'PX', keep)
  end
  return token
end
