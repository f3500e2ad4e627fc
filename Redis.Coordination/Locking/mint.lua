-- Fencing tokens. A counter alone goes back when a replica that missed writes is promoted, and an old holder would then
-- look newer. Server time in microseconds as a floor prevents it, as long as the clock of the new primary is not behind
-- that of the old one by more than the failover took. Doubles are exact to 9.0e+15, which as microseconds is 2255.
local function server_us()
  local time = redis.call('TIME')
  return time[1] .. string.rep('0', 6 - #time[2]) .. time[2]
end

-- The next token, not below the one given.
local function mint_from(fence, token)
  -- Not for ever, as names may hold ids: the floor alone is enough once the lease has been free for a day.
  local last = redis.call('SET', fence, token, 'GET', 'PX', '86400000')
  if last and tonumber(last) >= tonumber(token) then
    -- Lua would write 1.7e+15.
    token = string.format('%.0f', tonumber(last) + 1)
    redis.call('SET', fence, token, 'PX', '86400000')
  end
  return token
end

local function mint(fence) return mint_from(fence, server_us()) end
