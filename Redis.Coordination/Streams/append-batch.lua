-- KEYS: the stream of each event. ARGV: for each event the number of its names and values, then these. Returns the ids.
-- The key types are checked before anything is written: a script is not rolled back.
for i, key in ipairs(KEYS) do
  local kind = key ~= KEYS[i - 1] and redis.call('TYPE', key)['ok'] or 'stream'
  if kind ~= 'none' and kind ~= 'stream' then
    return redis.error_reply('WRONGTYPE ' .. key .. ' is not a stream')
  end
end
-- The library writes no more than some 500 fields to an entry, and unpack takes less than 8,000 values.
local ids, at = {}, 1
for i, key in ipairs(KEYS) do
  local last = at + tonumber(ARGV[at])
  ids[i] = redis.call('XADD', key, '*', unpack(ARGV, at + 1, last))
  at = last + 1
end
return ids
