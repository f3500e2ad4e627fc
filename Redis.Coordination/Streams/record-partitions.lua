-- KEYS: topic. ARGV: name and number of its partitions. Records them if nothing is there, and one partition needs no record. Returns
-- {name, number} of what there is; a stream under the key of the topic is what a topic of one partition has.
local kind = redis.call('TYPE', KEYS[1])['ok']
if kind == 'stream' or (kind == 'none' and ARGV[2] == '1') then return { '', '1' } end
if kind == 'none' then redis.call('HSET', KEYS[1], 'name', ARGV[1], 'partitions', ARGV[2]) end
return redis.call('HMGET', KEYS[1], 'name', 'partitions')
