-- ARGV: id, max_queued, ring_again_s, live_s, max_attempts, input, bundle, kind, staged, once, payload, once_s.
-- -> {answer, id}: 1 accepted; else as `before` says, or 0 queue full.  once: '' if the request may come but one time
-- Pictures are staged under their own short expiry and name: a job that is there already keeps its own.
local id, job, staged, once = ARGV[1], key('job', ARGV[1]), ARGV[9], ARGV[10]
local pictures = {[key('photo', staged)] = key('photo', id), [key('twin', staged)] = key('twin', id)}

local function refuse(answer, whose)
  for name in pairs(pictures) do wipe(name) end
  return {answer, whose or ''}
end

if once ~= '' then
  local answer, whose = before(once, ARGV[11])
  if answer ~= 0 then return refuse(whose == id and answer == 2 and 1 or answer, whose) end
  if redis.call('EXISTS', job) == 1 then return refuse(-1) end
  if redis.call('EXISTS', key('gone', id)) == 1 then return refuse(-2) end
elseif redis.call('EXISTS', job) == 1 then
  return refuse(1, id)  -- this very call, sent again by the client library
end
if redis.call('ZCARD', QUEUED) >= tonumber(ARGV[2]) then return refuse(0) end

local time, live_s = now(), tonumber(ARGV[4])
redis.call('HSET', job, 'status', 'queued', 'revision', 0, 'attempt', 0, 'token', 0, 'max_attempts', ARGV[5],
  'input', ARGV[6], 'bundle', ARGV[7], 'kind', ARGV[8], 'created_at', stamp(time))
changed(id)
keep(job, live_s)
keep(key('events', id), live_s)
for name, final in pairs(pictures) do
  if redis.call('EXISTS', name) == 1 then
    redis.call('RENAME', name, final)
    keep(final, live_s)
  end
end
if once ~= '' then
  redis.call('HSET', key('once', once), 'id', id, 'payload', ARGV[11])
  redis.call('EXPIRE', key('once', once), ARGV[12])
  redis.call('DEL', key('reading', once))
end
wait(id, ARGV[8], stamp(time), stamp(time + tonumber(ARGV[3])))
return {1, id}
