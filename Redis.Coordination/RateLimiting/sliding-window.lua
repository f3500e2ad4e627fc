-- Sliding window, counted in segments. A permit comes back when its whole segment has left the window: never early, and late by
-- one segment at most. So no window of any position gives more than the limit.
-- KEYS: a hash for each call: 'at', the segment of the last write; 'used', the sum of all counts; and the counts of the last segments, each
--   in the field that is its number modulo how many there can be.
-- ARGV: for each call what ScriptGroup puts first, if anything, and permits, limit, window in µs, segments, nothing. To give back: the
--   permits negative, and in the place of nothing the ticket.
-- Returns for each call {0 refused or 1 permitted, remaining, µs until they can be had, µs until all can be had, ticket}; that of the only
-- one as it is.
--@include server-us
local now = server_us()

local function counts_of(key, first, last, slots)
  local fields = {}
  for segment = first, last do fields[#fields + 1] = segment % slots end
  return redis.call('HMGET', key, unpack(fields)), fields
end

local function take(key, permits, limit, window, segments, last)
  local size, slots = math.ceil(window / segments), segments + 1
  local current = math.floor(now / size)
  local state = redis.call('HMGET', key, 'at', 'used', current % slots)
  local at, used, count = tonumber(state[1] or current), tonumber(state[2] or 0), tonumber(state[3] or 0)
  local fresh = not state[1]
  if at == current + 1 then
    -- A clock that is a little behind the one that wrote, as after a failover: it is waited for.
    current = at
    count = tonumber(redis.call('HGET', key, current % slots) or 0)
  elseif at ~= current then
    count, fresh = 0, true
    if at > current then
      -- A clock that is far behind: all that was given counts as given now.
      redis.call('DEL', key)
      count = used
    elseif current - at > segments then
      redis.call('DEL', key)
      used = 0
    else
      local counts, fields = counts_of(key, at - segments, current - slots, slots)
      for _, gone in ipairs(counts) do used = used - (gone or 0) end
      redis.call('HDEL', key, unpack(fields))
    end
  end

  local outcome, back = 0, nil
  local needed = math.max(1, permits)
  if permits < 0 then
    local segment = struct.unpack('<d', last)
    if segment <= current and segment >= current - segments then
      local given = segment == current and count or tonumber(redis.call('HGET', key, segment % slots) or 0)
      local returned = math.min(given, -permits)
      outcome, used = 1, used - returned
      if segment == current then count = given - returned else redis.call('HSET', key, segment % slots, given - returned) end
    end
  elseif used + needed <= limit then
    -- For none, whether there is one.
    outcome, used, count = 1, used + permits, count + permits
  else
    local left = used
    -- The last answer is for counts that were lost, as where somebody else has written to the hash.
    back = window
    for i, given in ipairs((counts_of(key, current - segments, current, slots))) do
      left = left - (given or 0)
      if left + needed <= limit then
        back = (current + i) * size - now
        break
      end
    end
  end
  if used == 0 then
    if not fresh or state[1] then redis.call('DEL', key) end
  elseif outcome == 1 or fresh then
    redis.call('HSET', key, 'at', current, 'used', used, current % slots, count)
    -- For all that is given in this segment.
    if fresh then redis.call('PEXPIRE', key, math.ceil((window + 2 * size) / 1000) + 1) end
  end
  return {
    outcome, math.max(0, limit - used), outcome == 1 and 0 or back or 0, used > 0 and (current + slots) * size - now or 0,
    struct.pack('<d', current)
  }
end

local answers, each = {}, #ARGV / #KEYS
for i = 1, #KEYS do
  local a = each * i
  answers[i] = take(
    KEYS[i], tonumber(ARGV[a - 4]), tonumber(ARGV[a - 3]), tonumber(ARGV[a - 2]), tonumber(ARGV[a - 1]), ARGV[a])
end
return #KEYS == 1 and answers[1] or answers
