-- Runs effect(keys, args) once for an event; see Inbox. The effect returns its result, false not to append the events, and false
-- not to remember the event, because the state that it changes tells a second delivery that there is nothing to do.
-- KEYS: stream of the event, record of it, the record's key in earlier versions (the same for most), stream of each event to
-- append, the effect's own. ARGV: group, entry id, event id, ms to remember, number of events to append, for each the number of
-- its names and values and these, the effect's own. Returns {1 when it ran, its first result}.
--@include event-entry
-- Those from this one on. unpack is much faster than a loop, and takes less than 8,000 values.
local function values_from(list, from)
  if #list - from < 4000 then return { unpack(list, from) } end
  local values = {}
  for i = from, #list do values[#values + 1] = list[i] end
  return values
end
local function inbox(effect)
  -- Earlier versions separated group and event id by a colon, whatever colons these had themselves.
  local function has_earlier_record()
    local recorded = KEYS[3] ~= KEYS[2] and redis.call('GET', KEYS[3])
    if not recorded then return false end
    local same = is_event(KEYS[1], recorded, ARGV[3])
    if same ~= nil then return same end
    -- Its entry is gone. It counts unless another group of the stream could have written it for another event.
    local name = string.sub(KEYS[3], #KEYS[1] + #':inbox:' + 1)
    for _, info in ipairs(redis.call('EXISTS', KEYS[1]) == 1 and redis.call('XINFO', 'GROUPS', KEYS[1]) or {}) do
      -- Name and value in turn; the name comes first.
      local group = info[2]
      if group ~= ARGV[1] and string.sub(name, 1, #group + 1) == group .. ':' then return false end
    end
    return true
  end

  -- Where the names and values of each event begin.
  local events, at = {}, 6
  for i = 1, tonumber(ARGV[5]) do
    events[i] = at + 1
    at = at + 1 + ARGV[at]
  end
  local keys, args = values_from(KEYS, 4 + #events), values_from(ARGV, at)

  local first, result = 0, false
  if redis.call('EXISTS', KEYS[2]) == 0 and not has_earlier_record() then
    first = 1
    local append, remember
    result, append, remember = effect(keys, args)
    if append ~= false then
      -- The library writes no more than some 500 fields to an entry.
      for i, from in ipairs(events) do
        redis.call('XADD', KEYS[3 + i], '*', unpack(ARGV, from, from + ARGV[from - 1] - 1))
      end
    end
    -- Not before: after an error in the effect the event must come again.
    if remember ~= false then redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[4]) end
  end
  acknowledge(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
  return { first, result }
end
