-- KEYS: stream. ARGV: entry id. Returns 1, or 0 when there is no such entry.
-- Writes nothing: a WAIT behind any command speaks for all that the server holds when it runs.
return #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])
