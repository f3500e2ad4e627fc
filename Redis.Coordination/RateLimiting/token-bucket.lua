-- Token bucket: GCRA in its form of a leaky bucket that is drained steadily (ITU-T I.371, annex A, continuous-state leaky bucket).
-- KEYS: a bucket for each call: two doubles, when it was written, in µs of the server's clock, and what was owed then. A permit costs
--   'period', and each µs pays 'tokens', so that no interval is ever rounded.
-- ARGV: for each call what ScriptGroup puts first, if anything, and permits, limit, tokens for each period, period in µs, 1 to reserve what
--   cannot be had yet. To give back: the permits negative, and in the place of the 1 the ticket of a reservation or nothing.
-- Returns for each call {0 refused, 1 permitted or 2 reserved, remaining, µs until they can be had, µs until all can be had, ticket if
-- reserved}; that of the only one as it is.
--@include server-us
local now = server_us()

local function take(key, permits, limit, tokens, period, last)
  local state = redis.call('GET', key)
  local capacity, debt, set_back = limit * period, 0, false
  if state then
    local at, owed = struct.unpack('<dd', state)
    -- After a failover the clock may be behind the one that wrote: what is owed is paid from now on.
    set_back = at > now
    debt = math.max(0, set_back and owed or owed - (now - at) * tokens)
  end
  local outcome, ticket = 0, nil
  -- For none, whether there is one.
  local missing = debt + math.max(1, permits) * period - capacity
  if permits < 0 then
    -- A reservation that others have reserved behind stays: their turns would come no earlier, and newcomers would run beside them.
    local at, owed = 0, 0
    if last ~= '' then at, owed = struct.unpack('<dd', last) end
    if last == '' or (debt > 0 and debt == owed - (now - at) * tokens) then outcome, debt = 1, math.max(0, debt + permits * period) end
  elseif missing <= 0 then
    outcome, debt = 1, debt + permits * period
  elseif last == '1' then
    outcome, debt = 2, debt + permits * period
  end
  local reset = math.ceil(debt / tokens)
  if permits ~= 0 and (outcome > 0 or set_back) then
    local written = struct.pack('<dd', now, debt)
    redis.call('SET', key, written, 'PX', math.ceil(reset / 1000) + 1)
    if outcome == 2 then ticket = written end
  end
  return { outcome, math.max(0, math.floor((capacity - debt) / period)), outcome == 1 and 0 or math.ceil(missing / tokens), reset, ticket }
end

local answers, each = {}, #ARGV / #KEYS
for i = 1, #KEYS do
  local a = each * i
  answers[i] = take(KEYS[i], tonumber(ARGV[a - 4]), tonumber(ARGV[a - 3]), tonumber(ARGV[a - 2]), tonumber(ARGV[a - 1]), ARGV[a])
end
return #KEYS == 1 and answers[1] or answers
