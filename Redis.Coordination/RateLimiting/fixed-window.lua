-- Fixed window: it begins with its first permit.
-- KEYS: a window for each call: two doubles, when it began, in µs of the server's clock, and how many permits it gave.
-- ARGV: for each call what ScriptGroup puts first, if anything, and permits, limit, window in µs, nothing. To give back: the permits
--   negative, and in the place of nothing the ticket.
-- Returns for each call {0 refused or 1 permitted, remaining, µs until they can be had, µs until all can be had, ticket}; that of the only
-- one as it is.
--@include server-us
local now = server_us()

local function take(key, permits, limit, window, last)
  local state = redis.call('GET', key)
  local start, used, set_back = now, 0, false
  if state then
    local began, gave = struct.unpack('<dd', state)
    if now - began < window then
      -- After a failover the clock may be behind the one that wrote: the window begins now with what it gave.
      set_back = began > now
      start, used = math.min(began, now), gave
    end
  end
  local outcome = 0
  if permits < 0 then
    if used > 0 and struct.pack('<d', start) == last then outcome, used = 1, math.max(0, used + permits) end
  elseif used + math.max(1, permits) <= limit then
    -- For none, whether there is one.
    outcome, used = 1, used + permits
  end
  local left = start + window - now
  if permits ~= 0 and (outcome == 1 or set_back) then
    redis.call('SET', key, struct.pack('<dd', start, used), 'PX', math.ceil(left / 1000) + 1)
  end
  return { outcome, math.max(0, limit - used), outcome == 1 and 0 or left, used > 0 and left or 0, struct.pack('<d', start) }
end

local answers, each = {}, #ARGV / #KEYS
for i = 1, #KEYS do
  local a = each * i
  answers[i] = take(KEYS[i], tonumber(ARGV[a - 3]), tonumber(ARGV[a - 2]), tonumber(ARGV[a - 1]), ARGV[a])
end
return #KEYS == 1 and answers[1] or answers
