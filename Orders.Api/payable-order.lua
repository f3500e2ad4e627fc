-- KEYS: stream, order. ARGV: entry id, event id. Returns the fields of the order; nil when the event is not there.
-- It writes nothing: a WAIT behind any command covers everything that the server holds when it runs.
--@include event-entry
if not is_event(KEYS[1], ARGV[1], ARGV[2]) then return false end
return redis.call('HGETALL', KEYS[2])
