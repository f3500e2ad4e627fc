-- Runs effect(keys, args) once for an event; see Inbox. KEYS: stream of the event, record of it, stream of each event to
-- append, the effect's own. ARGV: group, entry id, ms to remember, number of events to append, for each the number of its
-- names and values and these, the effect's own. Returns {1 when it ran, its first result}.
local function inbox(effect)
  local events, at = {}, 5
  for i = 1, tonumber(ARGV[4]) do
    local last = at + tonumber(ARGV[at])
    events[i] = { unpack(ARGV, at + 1, last) }
    at = last + 1
  end
  local first, result = 0, false
  if redis.call('EXISTS', KEYS[2]) == 0 then
    first = 1
    local append
    result, append = effect({ unpack(KEYS, 3 + #events) }, { unpack(ARGV, at) })
    if append ~= false then
      for i, fields in ipairs(events) do redis.call('XADD', KEYS[2 + i], '*', unpack(fields)) end
    end
    -- Not before: after an error in the effect the event must come again.
    redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
  end
  redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
  return { first, result }
end
