-- Put before a script that is run in a region. The permission names its region: one that was granted to the other one comes with its
-- replication stream. It ends with its expiry, so there is nothing to compare but the name.
do
  local permit = redis.call('GET', 'redis:region')
  if not permit or string.sub(permit, 1, @LENGTH@) ~= '@REGION@ ' then
    return redis.error_reply('REGION ' .. (permit or redis.call('GET', 'redis:region:last') or ''))
  end
end
