-- KEYS: product, reserved items, deadlines, changes of products. ARGV: fencing token or '' (without a lease), quantity, ms for which
-- they are reserved, member of the deadlines, sku, how many changes are kept. Returns {outcome, price, stock that is left, 1 when the
-- product needs no lease}; the outcome is taken, differs, ended, short, unknown, lease (one is needed) or stale.
local stock, price, unleased, fence, name = unpack(redis.call('HMGET', KEYS[1], 'stock', 'price', 'unleased', 'fence', 'name'))
local held, held_price, returned = unpack(redis.call('HMGET', KEYS[2], 'quantity', 'price', 'returned'))
local function answer(outcome, at) return { outcome, at or price, tonumber(stock or 0), unleased and 1 or 0 } end
-- A repetition gets what the first attempt got, at the price of then.
if returned then return answer('ended') end
if held then return answer(held == ARGV[2] and 'taken' or 'differs', held_price) end
if not stock then return answer('unknown') end
if ARGV[1] ~= '' then
  -- As fencing_accepts in fencing.lua, with one read and one write for all fields of the product.
  if tonumber(ARGV[1]) < tonumber(fence or '0') then return answer('stale') end
  fence = ARGV[1]
elseif not unleased then
  return answer('lease')
end
if tonumber(stock) < tonumber(ARGV[2]) then return answer('short') end
stock = string.format('%d', stock - ARGV[2])
-- First, for it fails when the key is no stream. Its id begins with the server's time, which is what the deadline counts from.
local change = redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[6], '*', 'sku', ARGV[5], 'name', name or '', 'price', price, 'stock', stock)
redis.call('HSET', KEYS[1], 'stock', stock, 'fence', fence or '0')
redis.call('HSET', KEYS[2], 'quantity', ARGV[2], 'price', price)
redis.call('ZADD', KEYS[3], string.match(change, '^%d+') + ARGV[3], ARGV[4])
return answer('taken')
