-- ARGV: id, max_queued, ring_again_s, live_s, staged, once, payload, once_s, start_within_s, end_within_s, owner,
-- most_at_once, then names and values of the record.  -> {answer, id}: 1 accepted; else as `before` says, or 0 queue full, -4 too many of the owner's,
-- -5 its webhook's endpoint is disabled
-- owner, most_at_once: '' if anybody may have any number
-- once: '' if the request may come but one time.  *_within_s: '' for no deadline
-- Pictures are staged under their own short expiry and name: a job that is there already keeps its own.
local id, job, once = ARGV[1], key('job', ARGV[1]), ARGV[6]
local pictures = {photo = key('photo', ARGV[5]), twin = key('twin', ARGV[5])}

local function refuse(answer, whose)
  wipe(pictures.photo, pictures.twin)
  return {answer, whose or ''}
end

if once ~= '' then
  local answer, whose = before(once, ARGV[7])
  if answer == 2 and redis.call('HGET', key('once', once), 'call') == ARGV[5] then return {1, id} end  -- sent again
  if answer ~= 0 then return refuse(answer, whose) end
  if redis.call('EXISTS', job) == 1 then return refuse(-1) end
  if redis.call('EXISTS', key('gone', id)) == 1 then return refuse(-2) end
elseif redis.call('EXISTS', job) == 1 then
  return refuse(1, id)  -- this very call, sent again by the client library
end
if redis.call('ZCARD', QUEUED) >= tonumber(ARGV[2]) then return refuse(0) end
if has_enough(ARGV[11], ARGV[12]) then return refuse(-4) end

local fields = {}
for i, name in ipairs({'start_by', 'end_by'}) do
  local within_s = tonumber(ARGV[8 + i])
  if within_s then
    fields[#fields + 1] = name
    fields[#fields + 1] = stamp(now() + within_s)
  end
end
for i = 13, #ARGV, 2 do
  if ARGV[i] == 'webhook' and redis.call('HGET', endpoint_of(ARGV[11], ARGV[i + 1]), 'state') == 'disabled' then
    return refuse(-5)
  end
  fields[#fields + 1] = ARGV[i]
  fields[#fields + 1] = ARGV[i + 1]
end
enqueue(id, fields, pictures, tonumber(ARGV[4]), tonumber(ARGV[3]))
if once ~= '' then
  remember(once, id, ARGV[7], ARGV[8])
  redis.call('HSET', key('once', once), 'call', ARGV[5])
end
return {1, id}
