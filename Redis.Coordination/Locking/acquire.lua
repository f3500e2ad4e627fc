-- KEYS: lease, last fencing token. ARGV: owner, TTL in ms.
-- Returns {1, fencing token} or {0, ms until the present lease runs out}.
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then
  -- -1 is a key without expiry that somebody else has set: only a release can end it.
  return { 0, redis.call('PTTL', KEYS[1]) }
end
-- Free, or ours already: then the reply to an earlier attempt was lost, and this one finds what that one made.
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
-- A counter alone goes back when a replica that missed writes is promoted, and an old holder would then look newer.
-- Server time in microseconds as a floor prevents it, as long as the clock of the new primary is not behind that of
-- the old one by more than the failover took.
local time = redis.call('TIME')
local token = math.max(tonumber(redis.call('GET', KEYS[2]) or '0') + 1, time[1] * 1000000 + time[2])
-- Lua would write 1.7e+15. Doubles are exact to 9.0e+15, which as microseconds is the year 2255.
token = string.format('%.0f', token)
-- Not for ever, as names may hold ids: the floor alone is enough once the lease has been free for a day.
redis.call('SET', KEYS[2], token, 'PX', math.max(86400000, 2 * ARGV[2]))
return { 1, token }
