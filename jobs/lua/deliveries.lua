-- ARGV: limit, lease_s, most, most_unverified.  Takes what is due: of a job its first pending message alone, of an endpoint
-- so many at once, and one challenge after the other.
-- -> a list of {id, token, number, type, at, tries, webhook, is_verified, owner, kind, client_ref}
local time, lease_s, taken = now(), tonumber(ARGV[2]), {}

local function give_up(outbox)
  for number = 1, tonumber(redis.call('HGET', outbox, 'messages')) do
    if redis.call('HGET', outbox, 'state:' .. number) == 'pending' then
      redis.call('HSET', outbox, 'state:' .. number, 'failed')
    end
  end
end

local function take(id, number, record, is_verified)
  local outbox = key('outbox', id)
  local message = redis.call('HMGET', outbox, 'type:' .. number, 'at:' .. number, 'tries:' .. number)
  taken[#taken + 1] = {
    id, redis.call('HINCRBY', outbox, 'token', 1), number, message[1], message[2], tonumber(message[3]), record[1],
    is_verified and 1 or 0, record[2] or '', record[3], record[4] or '',
  }
  redis.call('ZADD', OUTBOXES, stamp(time + lease_s), id)
end

for _, id in ipairs(redis.call('ZRANGE', OUTBOXES, '-inf', stamp(time), 'BYSCORE', 'LIMIT', 0, ARGV[1])) do
  local number = pending(key('outbox', id))
  local record = redis.call('HMGET', key('job', id), 'webhook', 'owner', 'kind', 'client_ref')
  if not number or not record[1] then
    redis.call('ZREM', OUTBOXES, id)
  else
    local endpoint = endpoint_of(record[2] or '', record[1])
    local under_way, known = endpoint .. ':under_way', redis.call('HMGET', endpoint, 'state', 'rest_until')
    local is_verified = known[1] == 'verified'
    redis.call('ZREMRANGEBYSCORE', under_way, '-inf', stamp(time))
    if known[1] == 'disabled' then
      give_up(key('outbox', id))
      redis.call('ZREM', OUTBOXES, id)
    elseif not is_verified and tonumber(known[2] or 0) > time then
      redis.call('ZADD', OUTBOXES, known[2], id)
    elseif redis.call('ZCARD', under_way) >= tonumber(ARGV[is_verified and 3 or 4]) then
      redis.call('ZADD', OUTBOXES, stamp(time + 1), id)
    else
      take(id, number, record, is_verified)
      redis.call('ZADD', under_way, stamp(time + lease_s), id)
      redis.call('EXPIRE', under_way, math.ceil(lease_s))
    end
  end
end
return taken
