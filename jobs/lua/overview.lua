-- ARGV: most_waiting, most_running, most_workers, lease_s, hours, most_points.
-- -> {time, lines, workers, curves, hours}, at one moment; lists have the first few alone.
-- lines, as KINDS: {kind, waiting, {job...}, running, {job...}, {seconds, run_s}}, a job being {id, since, lease, fields}
-- workers: {name, last sign of life, about}.  curves, of each running `finetune`: {id, {progress...}, step of its sheet}, evenly spread
-- hours, the oldest first: {number since 1970, {field, count...}}
local FIELDS = {'owner', 'worker', 'attempt', 'max_attempts', 'progress', 'input'}
local time, lease_s, most_points = now(), tonumber(ARGV[4]), tonumber(ARGV[6])

local function pairs_of(flat, make)
  local made = {}
  for i = 1, #flat, 2 do made[#made + 1] = make(flat[i], flat[i + 1]) end
  return made
end

local function job(id, since)
  return {id, since, redis.call('ZSCORE', LEASES, id), redis.call('HMGET', key('job', id), unpack(FIELDS))}
end

local function first(zset, most) return redis.call('ZRANGE', zset, 0, most - 1, 'WITHSCORES') end

local function line(kind)
  local waiting, running = key('line', kind), key('running', kind)
  return {
    kind, redis.call('ZCARD', waiting), pairs_of(first(waiting, ARGV[1]), job),
    redis.call('ZCARD', running), pairs_of(first(running, ARGV[2]), job),
    redis.call('HMGET', key('pace', kind), 'seconds', 'run_s'),
  }
end

-- Revisions are numbered without gaps, so any of them is found at once, however long the history is.
local function curve(id)
  local last, told = tonumber(redis.call('HGET', key('job', id), 'revision') or 0), {}
  for point = 1, math.min(most_points, last) do
    local revision = math.ceil(point * math.max(1, last / most_points))
    local entry = redis.call('XRANGE', key('events', id), revision .. '-0', '+', 'COUNT', 1)[1]
    for i = 1, entry and #entry[2] or 0, 2 do
      if entry[2][i] == 'progress' then told[#told + 1] = entry[2][i + 1] end
    end
  end
  return {id, told, redis.call('HGET', key('sheet', id), 'step')}
end

local lines, curves, hours = {}, {}, {}
for i, kind in ipairs(KINDS) do lines[i] = line(kind) end
for i, id in ipairs(redis.call('ZRANGE', key('running', 'finetune'), 0, ARGV[2] - 1)) do curves[i] = curve(id) end
local alive = redis.call('ZRANGE', WORKERS, stamp(time - lease_s), '+inf', 'BYSCORE', 'LIMIT', 0, ARGV[3], 'WITHSCORES')
local workers = pairs_of(alive, function(name, at) return {name, at, redis.call('HGET', CREW, name)} end)
local this_hour = math.floor(time / 3600)
for hour = this_hour - ARGV[5] + 1, this_hour do
  hours[#hours + 1] = {hour, redis.call('HGETALL', key('ended', hour))}
end
return {stamp(time), lines, workers, curves, hours}
