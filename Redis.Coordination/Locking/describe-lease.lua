-- KEYS: lease, queue, last fencing token. It only reads.
-- Returns {value of the lease or '', ms until it runs out, how many wait, last fencing token or '0'}.
local waiting = redis.call('ZCARD', KEYS[2])
if waiting > 0 then
  -- A star: the lease was handed over to this one, which has not confirmed it yet and waits no more.
  local head = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
  if string.sub(head, 1, 1) == '*' then waiting = waiting - 1 end
end
local last = redis.call('GET', KEYS[3])
return { redis.call('GET', KEYS[1]) or '', redis.call('PTTL', KEYS[1]), waiting, last and string.sub(last, 1, 16) or '0' }
