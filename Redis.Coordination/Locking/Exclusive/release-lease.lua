-- KEYS: lease, queue, last fencing token. ARGV: owner:token or owner, claim time in ms, predecessor or ''; see free-or-hand-over.
--@include free-or-hand-over
return free_or_hand_over(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2], ARGV[3])
