-- ARGV: limit, lease_s, most_of_owner, most, most_unverified, look_at.  Takes what is due: of a job its first pending message
-- alone, of an endpoint so many at once, of an owner so many, and one challenge after the other.
-- -> a list of {id, token, number, type, at, tries, webhook, is_verified, owner, kind, client_ref, traceparent}
local time, limit, lease_s, taken = now(), tonumber(ARGV[1]), tonumber(ARGV[2]), {}

local function give_up(id)
  local outbox = key('outbox', id)
  for number = 1, tonumber(redis.call('HGET', outbox, 'messages')) do
    if redis.call('HGET', outbox, 'state:' .. number) == 'pending' then
      redis.call('HSET', outbox, 'state:' .. number, 'failed')
    end
  end
  redis.call('ZREM', OUTBOXES, id)
end

local function are_full(places, most)
  for i, place in ipairs(places) do
    redis.call('ZREMRANGEBYSCORE', place, '-inf', stamp(time))
    if redis.call('ZCARD', place) >= tonumber(most[i]) then return true end
  end
end

local function take(id, number, record, is_verified, places)
  local outbox = key('outbox', id)
  local message = redis.call('HMGET', outbox, 'type:' .. number, 'at:' .. number, 'tries:' .. number)
  for _, place in ipairs(places) do
    redis.call('ZADD', place, stamp(time + lease_s), id)
    redis.call('EXPIRE', place, math.ceil(lease_s))
  end
  redis.call('ZADD', OUTBOXES, stamp(time + lease_s), id)
  taken[#taken + 1] = {
    id, redis.call('HINCRBY', outbox, 'token', 1), number, message[1], message[2], tonumber(message[3]), record[1],
    is_verified and 1 or 0, record[2] or '', record[3], record[4] or '', record[5] or '',
  }
end

for _, id in ipairs(redis.call('ZRANGE', OUTBOXES, '-inf', stamp(time), 'BYSCORE', 'LIMIT', 0, ARGV[6])) do
  if #taken == limit then break end
  local number = pending(key('outbox', id))
  local record = redis.call('HMGET', key('job', id), 'webhook', 'owner', 'kind', 'client_ref', 'traceparent')
  if not number or not record[1] then
    redis.call('ZREM', OUTBOXES, id)
  else
    local owner = record[2] or ''
    local known = redis.call('HMGET', endpoint_of(owner, record[1]), 'state', 'rest_until')
    local is_verified, its_places = known[1] == 'verified', places(owner, record[1])
    if known[1] == 'disabled' then
      give_up(id)
    elseif not is_verified and tonumber(known[2] or 0) > time then
      redis.call('ZADD', OUTBOXES, known[2], id)
    elseif are_full(its_places, {ARGV[is_verified and 4 or 5], ARGV[3]}) then
      redis.call('ZADD', OUTBOXES, stamp(time + 1), id)
    else
      take(id, number, record, is_verified, its_places)
    end
  end
end
return taken
