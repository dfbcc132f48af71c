-- ARGV: id, lease_s.  -> {attempt, input}, or false when there is nothing to do
-- Claimable: waiting, or running under a lease that ran out. `attempt` is the fencing token.
local id, job, time = ARGV[1], key('job', ARGV[1]), now()
local record = redis.call('HMGET', job, 'status', 'attempt', 'max_attempts', 'input')
local status = record[1]
if not status then
  forget(id)
  return false
end
local lease = redis.call('ZSCORE', LEASES, id)
local is_free = status == 'queued' or (status == 'running' and tonumber(lease or 0) < time)
if not is_free or tonumber(record[2]) >= tonumber(record[3]) then return false end
forget(id)
redis.call('HDEL', job, 'progress')
redis.call('HSET', job, 'status', 'running', 'started_at', stamp(time))
redis.call('HINCRBY', job, 'revision', 1)
redis.call('ZADD', LEASES, stamp(time + tonumber(ARGV[2])), id)
return {redis.call('HINCRBY', job, 'attempt', 1), record[4]}
