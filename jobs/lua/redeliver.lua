-- ARGV: id.  Everything that the job's webhook was told, or should have been, is due again; a disabled endpoint is asked
-- anew whether it wants it.  -> 1 so it is, 0 there is nothing, -2 the job is gone, -3 never heard of
local id, outbox = ARGV[1], key('outbox', ARGV[1])
local webhook = redis.call('HGET', key('job', id), 'webhook')
if redis.call('EXISTS', key('job', id)) == 0 then return redis.call('EXISTS', key('gone', id)) == 1 and -2 or -3 end
local messages = tonumber(redis.call('HGET', outbox, 'messages') or 0)
if messages == 0 then return 0 end
for number = 1, messages do redis.call('HSET', outbox, 'state:' .. number, 'pending', 'tries:' .. number, 0) end
local endpoint = endpoint_of(owner_of(id), webhook)
redis.call('HDEL', endpoint, 'rest_until')
if redis.call('HGET', endpoint, 'state') == 'disabled' then redis.call('DEL', endpoint) end
if not redis.call('ZSCORE', endpoint .. ':under_way', id) then redis.call('ZADD', OUTBOXES, stamp(now()), id) end
return 1
