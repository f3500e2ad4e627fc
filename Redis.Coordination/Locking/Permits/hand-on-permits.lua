-- KEYS: see permits. ARGV: claim time in ms, limit, resource.
-- Hands on what has run out. Returns ms until the first of the present claims runs out, or 0 without one.
--@include wake
--@include mint
--@include server-ms
--@include permits
local now = server_ms()
expire(now)
admit(ARGV[3], tonumber(ARGV[2]), tonumber(ARGV[1]), now)
local left = 0
local all = redis.call('HGETALL', permits)
for i = 1, #all, 2 do
  if string.sub(all[i + 1], 1, 1) == '*' then
    local ms = math.max(1, redis.call('ZSCORE', holders, all[i]) - now)
    if left == 0 or ms < left then left = ms end
  end
end
return left
