-- ARGV: id, new_id, max_queued, ring_again_s, live_s, once, once_s, most_at_once, traceparent of the new one.
-- -> {answer, id}: 1 a new job of the same wish and photo; 2 the one that an earlier retry made; -2 it is gone; 0 queue
-- full; -1 nothing to retry; -3 never heard of; -4 too many of the owner's.  The job itself stays as it is; its photo moves.
local id, new_id, once = ARGV[1], ARGV[2], ARGV[6]
local answer, made = before(once, '')
if answer ~= 0 then return {answer, made or ''} end
if redis.call('EXISTS', key('job', id)) == 0 then
  return {redis.call('EXISTS', key('gone', id)) == 1 and -2 or -3, ''}
end
if redis.call('EXISTS', key('again', id)) == 0 then return {-1, ''} end
if redis.call('ZCARD', QUEUED) >= tonumber(ARGV[3]) then return {0, ''} end
if has_enough(owner_of(id), ARGV[8]) then return {-4, ''} end
local fields = {}
for _, name in ipairs({'input', 'bundle', 'kind', 'max_attempts', 'ttl_s', 'owner', 'client_ref', 'webhook'}) do
  local value = redis.call('HGET', key('job', id), name)
  if value then
    fields[#fields + 1] = name
    fields[#fields + 1] = value
  end
end
if ARGV[9] ~= '' then
  fields[#fields + 1] = 'traceparent'
  fields[#fields + 1] = ARGV[9]
end
wipe(key('again', id))
enqueue(new_id, fields, {photo = key('photo', id), twin = key('twin', id)}, tonumber(ARGV[5]), tonumber(ARGV[4]))
remember(once, new_id, '', ARGV[7])
return {1, new_id}
