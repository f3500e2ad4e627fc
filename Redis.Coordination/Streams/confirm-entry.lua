-- KEYS: stream. ARGV: entry id, event id. Returns 1, or 0 when the event is not there.
-- It writes nothing: a WAIT behind any command covers everything that the server holds when it runs.
--@include event-entry
return is_event(KEYS[1], ARGV[1], ARGV[2]) and 1 or 0
