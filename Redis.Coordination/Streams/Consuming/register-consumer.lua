-- KEYS: living instances of the group. ARGV: this instance, its consumer's name, ms without a sign of life after which an instance
-- is gone, when this one registered first by the server's clock in ms or 0.
-- Returns {server's clock in ms, how many others have shown a sign of life under the same name since then}.
--@include server-ms
local now, others = server_ms(), 0
local instances = redis.call('HGETALL', KEYS[1])
for i = 1, #instances, 2 do
  local seen, name = string.match(instances[i + 1], '^(%d+) (.*)$')
  if not seen or now - seen > tonumber(ARGV[3]) then
    redis.call('HDEL', KEYS[1], instances[i])
  elseif instances[i] ~= ARGV[1] and name == ARGV[2] and ARGV[4] ~= '0' and tonumber(seen) > tonumber(ARGV[4]) then
    others = others + 1
  end
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f ', now) .. ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return { now, others }
