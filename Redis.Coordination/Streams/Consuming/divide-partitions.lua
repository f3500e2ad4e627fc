-- KEYS: members of the group. ARGV: this instance, its consumer's name, number of partitions, ms without a sign of life after which an
-- instance is gone, 1 when this one leaves.
-- Divides the partitions among the living instances: shares differ by one at most, and no more partitions change hands than must.
-- Fields: m:INSTANCE, the server's clock in ms and the name; p:NUMBER, the instance. Returns the numbers of this instance's partitions.
--@include server-ms
local now, count = server_ms(), tonumber(ARGV[3])
local members, shares, owners = {}, {}, {}
local function add(id)
  members[#members + 1] = id
  shares[id] = {}
end
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  local kind, name = string.match(fields[i], '^(%a):(.*)$')
  if kind == 'p' then
    owners[tonumber(name)] = fields[i + 1]
  elseif kind == 'm' and name ~= ARGV[1] then
    if now - tonumber(string.match(fields[i + 1], '^%d+')) > tonumber(ARGV[4]) then
      redis.call('HDEL', KEYS[1], fields[i])
    else
      add(name)
    end
  end
end
if ARGV[5] == '1' then
  redis.call('HDEL', KEYS[1], 'm:' .. ARGV[1])
else
  redis.call('HSET', KEYS[1], 'm:' .. ARGV[1], string.format('%.0f ', now) .. ARGV[2])
  add(ARGV[1])
end
if #members == 0 then
  redis.call('DEL', KEYS[1])
  return {}
end

local free = {}
for number = 0, count - 1 do
  local share = shares[owners[number] or '']
  if share then share[#share + 1] = number else free[#free + 1] = number end
end
-- Those that have most get what is left over.
table.sort(members, function(a, b)
  if #shares[a] ~= #shares[b] then return #shares[a] > #shares[b] end
  return a < b
end)
local function due(place) return math.floor(count / #members) + (place <= count % #members and 1 or 0) end
for place, id in ipairs(members) do
  while #shares[id] > due(place) do free[#free + 1] = table.remove(shares[id]) end
end
for place, id in ipairs(members) do
  while #shares[id] < due(place) do
    local number = table.remove(free)
    shares[id][#shares[id] + 1] = number
    redis.call('HSET', KEYS[1], 'p:' .. number, id)
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return shares[ARGV[1]] or {}
