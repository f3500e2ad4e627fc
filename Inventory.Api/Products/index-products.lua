-- KEYS: index. ARGV: skus. With one score for all a sorted set is in the order of its members' bytes.
for _, sku in ipairs(ARGV) do redis.call('ZADD', KEYS[1], 0, sku) end
