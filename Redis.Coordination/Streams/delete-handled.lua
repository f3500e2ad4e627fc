-- KEYS: stream. ARGV: entry ids. Deletes those that every group has handled; returns the others. Without a group nobody has.
--@include still-needed
if redis.call('EXISTS', KEYS[1]) == 0 then return {} end
local groups = redis.call('XINFO', 'GROUPS', KEYS[1])
local stay = {}
for _, id in ipairs(ARGV) do
  if #groups == 0 or still_needed(KEYS[1], groups, id) then
    stay[#stay + 1] = id
  else
    redis.call('XDEL', KEYS[1], id)
  end
end
return stay
