-- A token begins with the 32 characters of its provider (one per process), which hears of its waiters on one channel.
local function provider_of(entry) return string.sub(entry, 1, 32) end

-- A token that ends with @ and hexadecimal digits is of a provider whose client puts these characters before all its channels.
local function channel_of(entry)
  local at = string.find(entry, '@', 33, true)
  local prefix = at and string.gsub(string.sub(entry, at + 1), '%x%x', function(x) return string.char(tonumber(x, 16)) end) or ''
  return prefix .. 'lease-wake:' .. provider_of(entry)
end

-- Tells a waiter that the lease is its own, with its fencing token and for how many ms; without these two, to look.
-- False when its process is not heard of here: dead, or connected elsewhere.
local function wake(entry, lease, token, claim)
  -- A user who may not publish must still be able to release: waiters look when their time has come.
  local receivers = redis.pcall(
    'PUBLISH', channel_of(entry), entry .. ' ' .. (token or '0') .. ' ' .. (claim or '0') .. ' ' .. lease)
  return type(receivers) == 'number' and receivers > 0
end
