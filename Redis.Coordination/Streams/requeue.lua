-- KEYS: dead letters, stream. ARGV: id of the dead letter. Returns the id of the new entry, or nil.
-- It appends first: an error there (a key of another type, for example) ends the script and leaves the dead letter.
local letter = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not letter or letter[2][1] ~= 'dead_group' then return false end
-- The first five names and values are those that dead-letter.lua added.
local fields = { 'only_for_group', letter[2][2] }
for i = 11, #letter[2], 2 do
  if letter[2][i] ~= 'only_for_group' then
    fields[#fields + 1] = letter[2][i]
    fields[#fields + 1] = letter[2][i + 1]
  end
end
local id = redis.call('XADD', KEYS[2], '*', unpack(fields))
redis.call('XDEL', KEYS[1], ARGV[1])
return id
