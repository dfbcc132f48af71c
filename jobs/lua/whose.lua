-- ARGV: id.  -> the owner of a job that is there, or was, '' if it is nobody's; or false: never heard of
return redis.call('EXISTS', key('job', ARGV[1])) == 1 and owner_of(ARGV[1]) or redis.call('GET', key('gone', ARGV[1]))
