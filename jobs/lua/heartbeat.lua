-- ARGV: worker, about, lease_s, then id, token pairs.  -> which pairs the worker no longer owns, counted from 0
local ALIVE_S = 3600  -- a training takes hours, which no expiry that was set at its acceptance may cut off

local function live_on(id)
  if redis.call('TTL', key('job', id)) > ALIVE_S / 2 then return end
  for _, name in ipairs(parts(id)) do keep(name, ALIVE_S) end
end

local function retire(worker)
  redis.call('ZREM', WORKERS, worker)
  redis.call('HDEL', CREW, worker)
end

local time, lease_s, lost = now(), tonumber(ARGV[3]), {}
if ARGV[1] ~= '' then  -- nameless: takes no photos
  redis.call('ZADD', WORKERS, stamp(time), ARGV[1])
  if redis.call('HGET', CREW, ARGV[1]) ~= ARGV[2] then redis.call('HSET', CREW, ARGV[1], ARGV[2]) end
end
for _, dead in ipairs(redis.call('ZRANGE', WORKERS, '-inf', stamp(time - lease_s), 'BYSCORE')) do retire(dead) end
for i = 4, #ARGV, 2 do
  if is_current(ARGV[i], ARGV[i + 1]) and redis.call('ZSCORE', LEASES, ARGV[i]) then
    redis.call('ZADD', LEASES, 'XX', stamp(time + lease_s), ARGV[i])
    live_on(ARGV[i])
  else
    lost[#lost + 1] = (i - 4) / 2
  end
end
return lost
