-- ARGV: id, token, number, end, pause_s, most_tries, is_proven, attempt, known_s.  -> 1 noted, 0 too late
-- end: `delivered`, `again`, `unverified`: the challenge was not answered, `gone`: nothing more is to be sent there, or
-- `released`: it was not tried.  Another try comes after pause_s; of an endpoint it is known for known_s what it said.
local id, number, ending = ARGV[1], ARGV[3], ARGV[4]
local outbox, attempts, webhook = key('outbox', id), key('attempts', id), redis.call('HGET', key('job', id), 'webhook')
local MOST_ATTEMPTS = 100  -- that are remembered
if not webhook or redis.call('HGET', outbox, 'token') ~= ARGV[2] then return 0 end
local endpoint, time = endpoint_of(owner_of(id), webhook), now()
redis.call('HINCRBY', outbox, 'token', 1)
leave(id)
if ending == 'released' then
  redis.call('ZADD', OUTBOXES, stamp(time), id)
  return 1
end

redis.call('RPUSH', attempts, ARGV[8])
redis.call('LTRIM', attempts, -MOST_ATTEMPTS, -1)
keep(attempts, redis.call('TTL', outbox))
if ending == 'gone' then
  redis.call('HSET', endpoint, 'state', 'disabled')
  redis.call('EXPIRE', endpoint, ARGV[9])
elseif ARGV[7] == '1' and redis.call('HGET', endpoint, 'state') ~= 'disabled' then
  redis.call('HSET', endpoint, 'state', 'verified')
  redis.call('EXPIRE', endpoint, ARGV[9])
elseif ending == 'unverified' then
  redis.call('HSET', endpoint, 'rest_until', stamp(time + tonumber(ARGV[5])))
  redis.call('EXPIRE', endpoint, math.ceil(tonumber(ARGV[5])) + 1)
end

local state = 'pending'
if redis.call('HINCRBY', outbox, 'tries:' .. number, 1) >= tonumber(ARGV[6]) then state = 'failed' end
if ending == 'gone' then state = 'failed' end
if ending == 'delivered' then state = 'delivered' end
redis.call('HSET', outbox, 'state:' .. number, state)
if not pending(outbox) then
  redis.call('ZREM', OUTBOXES, id)
else
  redis.call('ZADD', OUTBOXES, stamp(state == 'pending' and time + tonumber(ARGV[5]) or time), id)
end
return 1
