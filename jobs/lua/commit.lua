-- ARGV: id, token, output, timings, ttl_s, tombstone_s, retry_s.  -> 1 committed, 0 dropped
-- Pictures are staged under the token, so a zombie can never overwrite the real ones.
local NEWEST = 0.2  -- share of the newest job in the pace

-- Seconds between the ends of jobs of a kind while there is work: many at once, or one after the other, it is the pace.
local function note_pace(id)
  local record = redis.call('HMGET', key('job', id), 'kind', 'started_at')
  local pace, time = key('pace', record[1]), now()
  local last = redis.call('HMGET', pace, 'ended_at', 'seconds')
  local took = time - math.max(tonumber(record[2]), tonumber(last[1] or 0))
  local seconds = last[2] and (1 - NEWEST) * tonumber(last[2]) + NEWEST * took or took
  redis.call('HSET', pace, 'ended_at', stamp(time), 'seconds', stamp(seconds))
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
