-- ARGV: every_ms, limit, ring_again_s, queue_timeout_s, ttl_s, tombstone_s, retry_s, worker_lost, queue_timeout.
-- -> {requeued, overdue, lost, timed_out}, lists of ids; or false: another reaper was here less than every_ms ago
local time, limit, ring_again_s = now(), ARGV[2], tonumber(ARGV[3])
-- A moment and not a key that expires: what expires sets off the rewriting of files, see jobs/erasure.py.
if time < tonumber(redis.call('GET', 'diffam:reaper') or 0) then return false end
redis.call('SET', 'diffam:reaper', stamp(time + tonumber(ARGV[1]) / 1000))
local requeued, overdue, lost, timed_out = {}, {}, {}, {}

local function due(zset, before)
  return redis.call('ZRANGE', zset, '-inf', stamp(before), 'BYSCORE', 'LIMIT', 0, limit)
end
local function give_up(id, why) close(id, 'failed', 'error', why, 5) end

for _, id in ipairs(due(LEASES, time)) do
  local job = key('job', id)
  forget(id)
  if redis.call('EXISTS', job) == 1 then
    lose(id)
    local record = redis.call('HMGET', job, 'attempt', 'max_attempts', 'created_at', 'kind')
    if tonumber(record[1]) >= tonumber(record[2]) then
      give_up(id, ARGV[8])
      lost[#lost + 1] = id
    else
      redis.call('HSET', job, 'status', 'queued')
      changed(id)
      wait(id, record[4], record[3], stamp(time + ring_again_s))
      watch_deadlines(id)
      requeued[#requeued + 1] = id
    end
  end
end

for _, id in ipairs(due(QUEUED, time - tonumber(ARGV[4]))) do
  if redis.call('EXISTS', key('job', id)) == 1 then
    give_up(id, ARGV[9])
    timed_out[#timed_out + 1] = id
  else
    forget(id)
  end
end

for _, name in ipairs(due(ENDS, time)) do
  local id = string.match(name, '^diffam:job:(.*)$')
  if id then redis.call('ZREM', INDEX, id) end
  wipe(name)
end

-- Each ring waits as long again as the job has waited: a long queue costs log(n) bells a job, not n.
for _, id in ipairs(due(BELLS, time)) do
  local waited = time - tonumber(redis.call('ZSCORE', QUEUED, id) or time)
  redis.call('ZADD', BELLS, stamp(time + math.max(ring_again_s, waited)), id)
  overdue[#overdue + 1] = id
end
return {requeued, overdue, lost, timed_out}
