-- KEYS: stream. ARGV: entry id. Returns 1, or 0 when there is no such entry.
-- It needs to write nothing: a WAIT after it covers everything that the server held when the script ran.
return #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])
