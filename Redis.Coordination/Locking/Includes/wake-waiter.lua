-- A token begins with the 32 characters of its provider (one per process), which hears of its waiters on one channel.
local function provider_of(entry) return string.sub(entry, 1, 32) end

-- Tells a waiter that the lease is its own, with its fencing token and for how many ms; without these two, to look.
-- False when its process is not heard of here: dead, or connected elsewhere.
local function wake(entry, lease, token, claim)
  -- A user who may not publish must still be able to release: waiters look when their time has come.
  local receivers = redis.pcall(
    'PUBLISH', 'lease-wake:' .. provider_of(entry), entry .. ' ' .. (token or '0') .. ' ' .. (claim or '0') .. ' ' .. lease)
  return type(receivers) == 'number' and receivers > 0
end
