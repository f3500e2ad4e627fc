--@include fencing
-- KEYS: product, changes of products. ARGV: fencing token, name, price, stock, 1 when it is
-- sold without a lease or '', sku, how many changes are kept, number of tags of which the product must have one (0: no such
-- condition), these (* for any), tags of which it must have none. Returns created, replaced, condition or stale.
local old = redis.call('HMGET', KEYS[1], 'name', 'price', 'stock', 'fence', 'unleased')
local exists = old[1] ~= false
-- Of our own lease: this script ran before and its answer was lost, so that the condition fails on its own effect.
local again = exists and old[4] == ARGV[1]
if not again then
  local tag = exists and '"' .. redis.sha1hex(old[1] .. '\n' .. old[2] .. '\n' .. old[3] .. (old[5] and '\nunleased' or '')) .. '"'
  local function has(first, last)
    for i = first, last do
      if exists and (ARGV[i] == '*' or ARGV[i] == tag) then return true end
    end
    return false
  end
  local last = 8 + tonumber(ARGV[8])
  if (last > 8 and not has(9, last)) or has(last + 1, #ARGV) then return 'condition' end
end
if not fencing_accepts(KEYS[1], ARGV[1]) then return 'stale' end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[7], '*', 'sku', ARGV[6], 'name', ARGV[2], 'price', ARGV[3], 'stock', ARGV[4])
redis.call('HSET', KEYS[1], 'name', ARGV[2], 'price', ARGV[3], 'stock', ARGV[4])
if ARGV[5] == '' then redis.call('HDEL', KEYS[1], 'unleased') else redis.call('HSET', KEYS[1], 'unleased', ARGV[5]) end
return exists and 'replaced' or 'created'
