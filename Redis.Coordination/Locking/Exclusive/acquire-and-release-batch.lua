-- Calls of acquire and release, each with its own lease, and their answers in the same order.
-- KEYS: the three of each call. ARGV: for each 1 (acquire) or 2 (release), and its three arguments.
--@include take-or-queue
--@include free-or-hand-over
-- One time for all: tokens of different leases are not compared, and those of one lease rise whatever the time.
local time = redis.call('TIME')
local answers = {}
for i = 1, #KEYS / 3 do
  local k, a = 3 * i, 4 * i
  if ARGV[a - 3] == '1' then
    answers[i] = take_or_queue(KEYS[k - 2], KEYS[k - 1], KEYS[k], ARGV[a - 2], ARGV[a - 1], ARGV[a], time)
  else
    answers[i] = free_or_hand_over(KEYS[k - 2], KEYS[k - 1], KEYS[k], ARGV[a - 2], ARGV[a - 1], ARGV[a])
  end
end
return answers
