-- Where a script that takes a lease says --@unless-region-is-handed-over. A lease that one has when writes are held up for a switch
-- cannot be given back any more, and the other region would wait for its end; so nobody gets one in the moment before.
do
  local leaving = redis.call('GET', 'redis:region:hand-over')
  if leaving and leaving == redis.call('GET', 'redis:region') then error({ err = 'HANDOVER to the other region is under way' }) end
end
