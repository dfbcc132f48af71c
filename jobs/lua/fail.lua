-- ARGV: id, token, error, ttl_s, tombstone_s, retry_s.  -> 1 failed for good, 0 no longer the owner
if not is_current(ARGV[1], ARGV[2]) then return 0 end
close(ARGV[1], 'failed', 'error', ARGV[3], 4)
return 1
