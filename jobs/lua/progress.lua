-- ARGV: id, token, progress, at_risk.  -> 1 noted, 0 no longer the owner
-- at_risk: '1' while the job is worked on, '0' while it waits for others.
if not is_current(ARGV[1], ARGV[2]) then return 0 end
redis.call('HSET', key('job', ARGV[1]), 'progress', ARGV[3], 'at_risk', ARGV[4])
redis.call('HINCRBY', key('job', ARGV[1]), 'revision', 1)
return 1
