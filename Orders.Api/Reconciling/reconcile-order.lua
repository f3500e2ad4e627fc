-- Looks after an order that is placed for long and not settled. KEYS: order, stream, its dead letters, unsettled orders. ARGV:
-- order id, group that settles it, id of its event ('': its journal has none), the event's fields and values. Returns
--   settled: nothing to do; it is not looked after any more.
--   waiting: its event is with the group, or will be.
--   dead: its event is a dead letter, which somebody has to decide on.
--   lost: its journal has no event to publish.
--   republished: its event was gone, or acknowledged without a trace in the order; it is in the stream again.
local time = redis.call('TIME')
local function again(answer)
  redis.call('ZADD', KEYS[4], time[1] * 1000 + math.floor(time[2] / 1000), ARGV[1])
  return answer
end
local status, entry = unpack(redis.call('HMGET', KEYS[1], 'status', 'entry'))
if status ~= 'placed' then
  redis.call('ZREM', KEYS[4], ARGV[1])
  return 'settled'
end

local function event_id(fields)
  for i = 1, #fields, 2 do
    if fields[i] == 'event_id' then return fields[i + 1] end
  end
end
local id = ARGV[3]
if id == '' then return again('lost') end

-- The entry by its id, and by what it is: after a failover the same id may be another event's.
local there = entry and redis.call('XRANGE', KEYS[2], entry, entry)[1]
if there and event_id(there[2]) == id then
  local delivered
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[2])) do
    local fields = {}
    for i = 1, #group, 2 do fields[group[i]] = group[i + 1] end
    if fields['name'] == ARGV[2] then delivered = fields['last-delivered-id'] end
  end
  -- Without the group nothing was delivered: it begins with what is there.
  if not delivered then return again('waiting') end
  local function parts(text)
    local ms, sequence = string.match(text, '^(%d+)-(%d+)$')
    return tonumber(ms), tonumber(sequence)
  end
  local entry_ms, entry_sequence = parts(entry)
  local ms, sequence = parts(delivered)
  if entry_ms > ms or (entry_ms == ms and entry_sequence > sequence) then return again('waiting') end
  if #redis.call('XPENDING', KEYS[2], ARGV[2], entry, entry, 1) > 0 then return again('waiting') end
end

-- The newest are enough: an older one has been told of long ago.
for _, letter in ipairs(redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1000)) do
  if letter[2][2] == ARGV[2] and event_id(letter[2]) == id then return again('dead') end
end

-- The same event id: whoever has handled it after all, handles it no second time.
redis.call('HSET', KEYS[1], 'entry', redis.call('XADD', KEYS[2], '*', unpack(ARGV, 4)))
return again('republished')
