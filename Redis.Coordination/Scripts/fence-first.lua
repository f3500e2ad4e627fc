-- In front of a script of an owner of a partition. The last key is the fence and the last argument the fencing token; the script that
-- follows does not see them.
do
--@include fencing
  if not fencing_accepts(table.remove(KEYS), table.remove(ARGV)) then
    return redis.error_reply('FENCED another instance has taken over')
  end
end
