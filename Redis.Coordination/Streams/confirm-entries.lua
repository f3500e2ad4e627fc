-- KEYS: stream. ARGV: entry ids and event ids in turn. Returns for each 1, or 0 when the event is not there.
-- It writes nothing: a WAIT behind any command covers everything that the server holds when it runs.
--@include event-entry
local confirmed = {}
for i = 1, #ARGV, 2 do confirmed[#confirmed + 1] = is_event(KEYS[1], ARGV[i], ARGV[i + 1]) and 1 or 0 end
return confirmed
