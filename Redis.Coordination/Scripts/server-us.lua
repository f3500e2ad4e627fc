-- The server's clock in µs. Doubles are exact to 9.0e+15, which as microseconds is 2255.
local function server_us()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end
