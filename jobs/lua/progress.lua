-- ARGV: id, token, progress, at_risk.  -> 1 noted, 0 no longer the owner
-- at_risk: '1' while the job is worked on, '0' while it waits for others. What is no news is no change.
local id, job = ARGV[1], key('job', ARGV[1])
if not is_current(id, ARGV[2]) then return 0 end
local is_news = redis.call('HGET', job, 'progress') ~= ARGV[3]
redis.call('HSET', job, 'progress', ARGV[3], 'at_risk', ARGV[4])
if is_news then changed(id) end
return 1
