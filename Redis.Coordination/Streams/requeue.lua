-- KEYS: dead letters, stream. ARGV: id of the dead letter. Returns the id of the new entry, or nil.
-- It appends first: an error there (a key of another type, for example) ends the script and leaves the dead letter.
--@include pack-fields
local letter = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not letter or letter[2][1] ~= 'dead_group' then return false end
-- The first five names and values are those that dead-letter.lua added.
local fields = {}
for i = 11, #letter[2], 2 do
  if letter[2][i] ~= 'only_for_group' then
    fields[#fields + 1] = letter[2][i]
    fields[#fields + 1] = letter[2][i + 1]
  end
end
local id = redis.call('XADD', KEYS[2], '*', 'only_for_group', letter[2][2], unpack(pack_fields(fields)))
redis.call('XDEL', KEYS[1], ARGV[1])
return id
