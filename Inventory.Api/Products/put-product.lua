--@include fencing
-- KEYS: product. ARGV: fencing token, name, price, stock, number of tags of which the product must have one (0: no such
-- condition), these (* for any), tags of which it must have none. Returns created, replaced, condition or stale.
local old = redis.call('HMGET', KEYS[1], 'name', 'price', 'stock', 'fence')
local exists = old[1] ~= false
-- Of our own lease: this script ran before and its answer was lost, so that the condition fails on its own effect.
local again = exists and old[4] == ARGV[1]
if not again then
  local tag = exists and '"' .. redis.sha1hex(old[1] .. '\n' .. old[2] .. '\n' .. old[3]) .. '"'
  local function has(first, last)
    for i = first, last do
      if exists and (ARGV[i] == '*' or ARGV[i] == tag) then return true end
    end
    return false
  end
  local last = 5 + tonumber(ARGV[5])
  if (last > 5 and not has(6, last)) or has(last + 1, #ARGV) then return 'condition' end
end
if not fencing_accepts(KEYS[1], ARGV[1]) then return 'stale' end
redis.call('HSET', KEYS[1], 'name', ARGV[2], 'price', ARGV[3], 'stock', ARGV[4])
return exists and 'replaced' or 'created'
