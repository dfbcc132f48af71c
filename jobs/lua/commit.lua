-- ARGV: id, token, output, timings, ttl_s, tombstone_s, retry_s.  -> 1 committed, 0 dropped
-- Pictures are staged under the token, so a zombie can never overwrite the real ones.
local NEWEST = 0.2  -- share of the newest job in the pace

local function mean(before, newest)
  return stamp(before and (1 - NEWEST) * tonumber(before) + NEWEST * newest or newest)
end

-- Seconds between the ends of jobs of a kind while there is work: many at once, or one after the other, it is the pace.
-- `run_s` is what one of them takes by itself.
local function note_pace(id)
  local record = redis.call('HMGET', key('job', id), 'kind', 'started_at')
  local pace, time, started = key('pace', record[1]), now(), tonumber(record[2])
  local last = redis.call('HMGET', pace, 'ended_at', 'seconds', 'run_s')
  local took = time - math.max(started, tonumber(last[1] or 0))
  redis.call('HSET', pace, 'ended_at', stamp(time),
    'seconds', mean(last[2], took), 'run_s', mean(last[3], time - started))
end

local id, token = ARGV[1], ARGV[2]
local ttl_s = tonumber(redis.call('HGET', key('job', id), 'ttl_s') or ARGV[5])
local owner = is_current(id, token)
for _, kind in ipairs(PICTURES) do
  local staged = key(kind, id .. ':' .. token)
  if owner then
    if redis.call('EXISTS', staged) == 1 then  -- not every job has all of them
      redis.call('RENAME', staged, key(kind, id))
      redis.call('ZREM', ENDS, staged)
      keep(key(kind, id), ttl_s)
    end
  else
    wipe(staged)
  end
end
if not owner then return 0 end
note_pace(id)
redis.call('HSET', key('job', id), 'timings', ARGV[4])
close(id, 'succeeded', 'output', ARGV[3], 5)
return 1
