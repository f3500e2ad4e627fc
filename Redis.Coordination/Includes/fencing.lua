-- The guarded write (Kleppmann, "How to do distributed locking"): a writer whose lease was handed on while it was
-- paused carries a smaller token than one that wrote after it. The highest token seen lives in the hash that the
-- write changes, so that check and write are one step: a check before the write would not help.
-- The permits of a semaphore are held beside one another: give the number of the permit, and each has a fence of its own.
-- Returns false when the write must be refused.
local function fencing_accepts(key, token, permit)
  local field = permit and 'fence:' .. permit or 'fence'
  local seen = tonumber(redis.call('HGET', key, field) or '0')
  if tonumber(token) < seen then return false end
  if tonumber(token) > seen then redis.call('HSET', key, field, token) end
  return true
end
