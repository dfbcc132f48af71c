-- ARGV: id, token, progress.  -> 1 noted, 0 no longer the owner
if not is_current(ARGV[1], ARGV[2]) then return 0 end
redis.call('HSET', key('job', ARGV[1]), 'progress', ARGV[3])
redis.call('HINCRBY', key('job', ARGV[1]), 'revision', 1)
return 1
