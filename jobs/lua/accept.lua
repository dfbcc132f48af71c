-- ARGV: id, max_queued, ring_again_s, live_s, max_attempts, input, bundle, kind.  -> 1 accepted, 0 queue full
-- The photo is already staged under its own short expiry; a repeated call changes nothing.
local id, job = ARGV[1], key('job', ARGV[1])
if redis.call('EXISTS', job) == 1 then return 1 end
if redis.call('ZCARD', QUEUED) >= tonumber(ARGV[2]) then
  wipe(key('photo', id), key('twin', id))
  return 0
end
local time, live_s = now(), tonumber(ARGV[4])
redis.call('HSET', job, 'status', 'queued', 'revision', 1, 'attempt', 0, 'token', 0, 'max_attempts', ARGV[5],
  'input', ARGV[6], 'bundle', ARGV[7], 'kind', ARGV[8], 'created_at', stamp(time))
for _, name in ipairs({job, key('photo', id), key('twin', id)}) do keep(name, live_s) end
wait(id, ARGV[8], stamp(time), stamp(time + tonumber(ARGV[3])))
return 1
