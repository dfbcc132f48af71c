-- ARGV: id, by, error, ttl_s, tombstone_s, retry_s.  -> 1 canceled, 0 over already, -1 never heard of
local status = redis.call('HGET', key('job', ARGV[1]), 'status')
if not status then return -1 end
if status ~= 'queued' and status ~= 'running' then return 0 end
cancel(ARGV[1], ARGV[2], ARGV[3], 4)
return 1
