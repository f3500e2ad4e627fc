-- KEYS: lease, queue, last fencing token. ARGV: owner:token or owner, claim time in ms, predecessor or ''.
--@include releasing
return release(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2], ARGV[3])
