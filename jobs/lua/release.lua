-- ARGV: id, token pairs.  Ends their leases now: the next sweep brings the jobs back.
for i = 1, #ARGV, 2 do
  if is_current(ARGV[i], ARGV[i + 1]) then redis.call('ZADD', LEASES, 'XX', 0, ARGV[i]) end
end
return 1
