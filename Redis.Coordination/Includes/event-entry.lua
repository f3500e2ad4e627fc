-- What identifies an entry is its id together with its event: after a failover the new primary may give the id of an entry
-- that it never had to another event.
-- Whether the entry is that of the event: true, false when it is another event's, nil when there is no such entry.
local function is_event(stream, id, event_id)
  local entry = redis.call('XRANGE', stream, id, id)[1]
  if not entry then return nil end
  local fields = entry[2]
  for i = 1, #fields, 2 do
    if fields[i] == 'event_id' then return fields[i + 1] == event_id end
  end
  -- The event id that StreamMessage gives to an entry without one.
  return event_id == stream .. ':' .. id
end
-- Acknowledges the event for the group, and nothing when the id is another event's.
local function acknowledge(stream, group, id, event_id)
  if is_event(stream, id, event_id) ~= false then redis.call('XACK', stream, group, id) end
end
