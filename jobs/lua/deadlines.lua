-- ARGV: limit, not_begun, not_over, ttl_s, tombstone_s, retry_s.  Cancels what is past its deadline.  -> their ids
local late = redis.call('ZRANGE', DEADLINES, '-inf', stamp(now()), 'BYSCORE', 'LIMIT', 0, ARGV[1])
for _, id in ipairs(late) do
  local job = key('job', id)
  if redis.call('EXISTS', job) == 1 then
    local is_over_due = tonumber(redis.call('HGET', job, 'end_by') or math.huge) <= now()
    cancel(id, 'deadline', is_over_due and ARGV[3] or ARGV[2], 4)
  else
    forget(id)
  end
end
return late
