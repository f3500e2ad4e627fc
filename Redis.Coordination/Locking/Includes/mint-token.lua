-- Fencing tokens. A counter alone goes back when a replica that missed writes is promoted, and an old holder would then
-- look newer. Server time in microseconds as a floor prevents it, as long as the clock of the new primary is not behind
-- that of the old one by more than the failover took. Doubles are exact to 9.0e+15, which as microseconds is 2255.
--
-- While somebody queues the last token bears a mark, so that whoever reads it need not look for the queue. The mark stays
-- until the lease is taken without a queue; a fence that was evicted says nothing.
local function mint_above(fence, last, token, mark)
  last = last and tonumber(string.sub(last, 1, 16))
  if last and last >= tonumber(token) then
    -- Lua would write 1.7e+15.
    token = string.format('%.0f', last + 1)
  end
  -- Not for ever, as names may hold ids; a day from the last acquisition, which may come up to 10,000 s after this.
  redis.call('SET', fence, token .. (mark or ''), 'PX', '96400000')
  return token
end

local function mint(fence, mark)
  local time = redis.call('TIME')
  return mint_above(fence, redis.call('GET', fence), string.format('%s%06d', time[1], time[2]), mark)
end
