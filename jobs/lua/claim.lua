-- ARGV: id, lease_s, not_begun, ttl_s, tombstone_s, retry_s, worker.  -> {token, attempt, input, traceparent}, or false: nothing to do
-- Claimable: waiting, or running under a lease that ran out. `token` fences: whoever holds an older one is out.
local id, job, time = ARGV[1], key('job', ARGV[1]), now()
local status = redis.call('HGET', job, 'status')
if not status then
  forget(id)
  return false
end
if status == 'running' then
  if tonumber(redis.call('ZSCORE', LEASES, id) or 0) >= time then return false end
  lose(id)
elseif status ~= 'queued' then
  return false
end
local record = redis.call('HMGET', job, 'attempt', 'max_attempts', 'input', 'kind', 'start_by', 'traceparent')
if record[5] and tonumber(record[5]) <= time then
  cancel(id, 'deadline', ARGV[3], 4)
  return false
end
if tonumber(record[1]) >= tonumber(record[2]) then
  redis.call('HSET', job, 'at_risk', '1')  -- the reaper ends it: this last attempt did count
  return false
end
forget(id)
redis.call('HDEL', job, 'start_by')
watch_deadlines(id)
redis.call('HSET', job, 'status', 'running', 'started_at', stamp(time), 'worker', ARGV[7])
local token, attempt = redis.call('HINCRBY', job, 'token', 1), redis.call('HINCRBY', job, 'attempt', 1)
changed(id)
if token == 1 then tell(id, 'job.started') end
redis.call('ZADD', LEASES, stamp(time + tonumber(ARGV[2])), id)
redis.call('ZADD', key('running', record[4]), stamp(time), id)
return {token, attempt, record[3], record[6] or ''}
