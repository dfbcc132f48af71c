-- ARGV: name, bytes, ttl_s.  Of a finished picture, also in a full store: it makes room, for its job ends with it.
redis.call('SET', ARGV[1], ARGV[2])
keep(ARGV[1], tonumber(ARGV[3]))
return 1
