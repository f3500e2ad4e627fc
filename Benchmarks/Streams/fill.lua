-- KEYS: stream. ARGV: first number, how many, then the fields of an entry, the event id first. Only the event
-- id differs between the entries.
local fields = {}
for i = 3, #ARGV do fields[i - 2] = ARGV[i] end
for n = tonumber(ARGV[1]), ARGV[1] + ARGV[2] - 1 do
  fields[2] = string.format('019aba9c-0000-7000-8000-%012d', n)
  redis.call('XADD', KEYS[1], '*', unpack(fields))
end
return 1
