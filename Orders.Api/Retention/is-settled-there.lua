-- KEYS: settled orders. ARGV: id of an entry, order. Returns 1, or 0 when it is not there.
-- It writes nothing: a WAIT behind any command covers everything that the server holds when it runs.
local entry = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
return entry and entry[2][2] == ARGV[2] and 1 or 0
