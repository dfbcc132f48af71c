-- Head of every script: the clock, the keys, and the one way a job ends.
-- Keys are built here and not passed in KEYS: the ledger lives on one Redis, as Celery's transport does too.
local QUEUED = 'diffam:queued'    -- zset: waiting jobs by time of acceptance
local BELLS = 'diffam:bells'      -- zset: waiting jobs by time of the next ring
local LEASES = 'diffam:leases'    -- zset: running jobs by end of lease
local WORKERS = 'diffam:workers'  -- zset: warm workers by last sign of life
local CREW = 'diffam:crew'        -- hash: what each of them says of itself
local KINDS = {'protect', 'finetune', 'detect'}  -- each has its line and its running jobs, as in QUEUED and LEASES
local DEADLINES = 'diffam:deadlines'  -- zset: jobs by when they are canceled unless they have come further
local INDEX = 'diffam:index'        -- zset: all jobs by time of acceptance
local ERASED = 'diffam:erased'    -- counter: how often bytes were deleted, see jobs/erasure.py
local OUTBOXES = 'diffam:outboxes'  -- zset: jobs whose webhook is to be told something, by time of the next attempt
local ENDS = 'diffam:ends'        -- zset: keys by when the reaper deletes them; their own expiry is far less punctual

-- What a photo's job may end with: the first picture, and two more to choose from.
local PICTURES = {
  'result', 'comparison', 'undo', 'result.1', 'comparison.1', 'undo.1', 'result.2', 'comparison.2', 'undo.2',
}

local function key(kind, id) return 'diffam:' .. kind .. ':' .. id end

local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end

local function stamp(time) return string.format('%.6f', time) end  -- tostring() would round to 14 digits

-- What a request that may come again made before: 0 nothing; 2 the job `id`; -1 a job of another payload; -2 one that
-- is gone. A request is known for longer than its job lives.
local function before(once, payload)
  local made = redis.call('HMGET', key('once', once), 'id', 'payload')
  if not made[1] then return 0 end
  if made[2] ~= payload then return -1 end
  if redis.call('EXISTS', key('job', made[1])) == 0 then return -2 end
  return 2, made[1]
end

local function remember(once, id, payload, once_s)
  redis.call('HSET', key('once', once), 'id', id, 'payload', payload)
  redis.call('EXPIRE', key('once', once), once_s)
  redis.call('DEL', key('reading', once))
end

-- The holder of the fencing token still owns the live job.
local function is_current(id, token)
  local record = redis.call('HMGET', key('job', id), 'status', 'token')
  return record[1] == 'running' and record[2] == token
end

local function wait(id, kind, since, ring_at)
  redis.call('ZADD', QUEUED, since, id)
  redis.call('ZADD', key('line', kind), since, id)
  redis.call('ZADD', BELLS, ring_at, id)
end

local function forget(id)
  for _, zset in ipairs({QUEUED, BELLS, LEASES, DEADLINES}) do redis.call('ZREM', zset, id) end
  for _, kind in ipairs(KINDS) do
    redis.call('ZREM', key('line', kind), id)
    redis.call('ZREM', key('running', kind), id)
  end
end

local function wipe(...)
  redis.call('ZREM', ENDS, ...)
  if redis.call('DEL', ...) > 0 then redis.call('INCR', ERASED) end
end

local function keep(name, ttl_s)
  redis.call('EXPIRE', name, ttl_s)
  redis.call('ZADD', ENDS, stamp(now() + ttl_s), name)
end

-- Whose the job is: the id of a key, or ''. A job that is gone is its owner's, too: `gone` has it.
local function owner_of(id) return redis.call('HGET', key('job', id), 'owner') or '' end

-- How many jobs of an owner wait or run. Whichever ended, or is gone, is forgotten here and nowhere else.
local function at_once(owner)
  local owned = key('owned', owner)
  for _, id in ipairs(redis.call('SMEMBERS', owned)) do
    local status = redis.call('HGET', key('job', id), 'status')
    if status ~= 'queued' and status ~= 'running' then redis.call('SREM', owned, id) end
  end
  return redis.call('SCARD', owned)
end

local function has_enough(owner, most) return most ~= '' and at_once(owner) >= tonumber(most) end

-- What a live job consists of.
local function parts(id)
  return {
    key('job', id), key('events', id), key('photo', id), key('twin', id), key('again', id), key('outbox', id),
    key('attempts', id), key('sheet', id),
  }
end

-- The hash of an endpoint, which is a URL as one owner's: the secret that signs is that owner's.
local function endpoint_of(owner, webhook)
  return key('endpoint', redis.sha1hex(owner .. ' ' .. cjson.decode(webhook).url))
end

-- Note an event for the job's webhook, if that one wants it: within the change that it tells of, so none is lost.
local function tell(id, event)
  local webhook, outbox = redis.call('HGET', key('job', id), 'webhook'), key('outbox', id)
  for _, wanted in ipairs(webhook and cjson.decode(webhook).events or {}) do
    if wanted == event then
      local number = redis.call('HINCRBY', outbox, 'messages', 1)
      redis.call('HSET', outbox, 'type:' .. number, event, 'at:' .. number, stamp(now()), 'state:' .. number, 'pending',
        'tries:' .. number, 0)
      redis.call('ZADD', OUTBOXES, 'NX', stamp(now()), id)
      keep(outbox, redis.call('TTL', key('job', id)))
    end
  end
end

-- The first message that is still to be delivered; those after it wait for it.
local function pending(outbox)
  for number = 1, tonumber(redis.call('HGET', outbox, 'messages') or 0) do
    if redis.call('HGET', outbox, 'state:' .. number) == 'pending' then return number end
  end
end

-- Where it stands that a message of a job is under way: zsets by end of lease, of its endpoint and of its owner.
local function places(owner, webhook)
  return {endpoint_of(owner, webhook) .. ':under_way', key('telling', owner)}
end

local function leave(id)
  local webhook = redis.call('HGET', key('job', id), 'webhook')
  for _, place in ipairs(webhook and places(owner_of(id), webhook) or {}) do redis.call('ZREM', place, id) end
end

-- Every change is numbered and told once: a job's history is a stream whose ids are the revisions.
local function changed(id)
  local job, event = key('job', id), {'at', stamp(now())}
  for _, name in ipairs({'status', 'attempt', 'progress', 'error'}) do
    local value = redis.call('HGET', job, name)
    if value then
      event[#event + 1] = name
      event[#event + 1] = value
    end
  end
  redis.call('XADD', key('events', id), redis.call('HINCRBY', job, 'revision', 1) .. '-0', unpack(event))
end

local function wipe_pictures(id)
  for _, kind in ipairs(PICTURES) do wipe(key(kind, id)) end
end

-- Whoever held the running job is gone. The attempt counts only if the job was being worked on, not while it waited
-- beside others: whoever ends a worker must not cost its fellow travellers theirs.
local function lose(id)
  local job = key('job', id)
  local record = redis.call('HMGET', job, 'at_risk', 'token')
  wipe_pictures(id .. ':' .. tostring(record[2]))  -- what it had staged
  if record[1] ~= '1' then redis.call('HINCRBY', job, 'attempt', -1) end
  redis.call('HDEL', job, 'progress', 'at_risk', 'started_at', 'worker')
end

-- Cancel the job at its next deadline: to begin by `start_by`, which a claim takes away, or to be over by `end_by`.
local function watch_deadlines(id)
  local record, next_one = redis.call('HMGET', key('job', id), 'start_by', 'end_by'), nil
  for _, moment in ipairs({1, 2}) do
    local by = tonumber(record[moment] or nil)
    if by and (not next_one or by < next_one) then next_one = by end
  end
  if next_one then redis.call('ZADD', DEADLINES, stamp(next_one), id) else redis.call('ZREM', DEADLINES, id) end
end

-- A new job waits. fields: of its record, as a flat list.  pictures: where its photo and its twin lie until now
local function enqueue(id, fields, pictures, live_s, ring_again_s)
  local job, time = key('job', id), now()
  redis.call('HSET', job, 'status', 'queued', 'revision', 0, 'attempt', 0, 'token', 0, 'created_at', stamp(time),
    unpack(fields))
  for blob, name in pairs(pictures) do
    if redis.call('EXISTS', name) == 1 then
      redis.call('RENAME', name, key(blob, id))
      redis.call('ZREM', ENDS, name)
      redis.call('HSET', job, 'has_photo', '1')
    end
  end
  changed(id)
  redis.call('ZADD', INDEX, stamp(time), id)
  for _, name in ipairs(parts(id)) do
    if redis.call('EXISTS', name) == 1 then keep(name, live_s) end
  end
  if owner_of(id) ~= '' then redis.call('SADD', key('owned', owner_of(id)), id) end
  wait(id, redis.call('HGET', job, 'kind'), stamp(time), stamp(time + ring_again_s))
  watch_deadlines(id)
end

-- How jobs ended is counted by the hour. These are numbers alone, so they stay when a job is erased.
local COUNTED_S = 25 * 3600

local function count(id, status, why)
  local counts = key('ended', string.format('%d', now() / 3600))
  local how = {redis.call('HGET', key('job', id), 'kind'), status, why and why.code, why and (why.retryable and 1 or 0)}
  redis.call('HINCRBY', counts, table.concat(how, ' '), 1)
  redis.call('EXPIRE', counts, COUNTED_S)
end

-- Enter a terminal state. The upload goes now, or after retry_s where a retry may still succeed; the record after
-- ttl_s, its tombstone some time later.  at: where ttl_s, tombstone_s, retry_s stand in ARGV
local function close(id, status, field, value, at)
  local job, time = key('job', id), now()
  local ttl_s = tonumber(redis.call('HGET', job, 'ttl_s') or ARGV[at])
  forget(id)
  local retry_s, why = tonumber(ARGV[at + 2]), field == 'error' and cjson.decode(value) or nil
  local can_retry = retry_s > 0 and why and why.retryable
    and redis.call('EXISTS', key('photo', id)) == tonumber(redis.call('HGET', job, 'has_photo') or 0)
  if can_retry then
    redis.call('SET', key('again', id), stamp(time + retry_s))
    for _, blob in ipairs({'photo', 'twin', 'again'}) do
      if redis.call('EXISTS', key(blob, id)) == 1 then keep(key(blob, id), retry_s) end
    end
  else
    wipe(key('photo', id), key('twin', id))
  end
  wipe(key('sheet', id))
  redis.call('HDEL', job, 'progress', 'at_risk')
  redis.call('HSET', job, 'status', status, field, value,
    'finished_at', stamp(time), 'expires_at', stamp(time + ttl_s))
  count(id, status, why)
  changed(id)
  tell(id, 'job.' .. status)
  for _, part in ipairs({'job', 'events', 'outbox', 'attempts'}) do
    if redis.call('EXISTS', key(part, id)) == 1 then keep(key(part, id), ttl_s) end
  end
  redis.call('SET', key('gone', id), owner_of(id), 'EX', ttl_s + ARGV[at + 1])
end

-- End a live job as canceled, by `user`, `deadline` or `operator`.
local function cancel(id, by, why, at)
  local attempt = redis.call('HGET', key('job', id), 'attempt')
  redis.call('HSET', key('job', id), 'canceled_by', by, 'had_started', attempt == '0' and '0' or '1')
  close(id, 'canceled', 'error', why, at)
end
