-- ARGV: id.  -> {webhook, outbox, attempts, endpoint's state, next attempt}, or {false, is_gone} if there is no record;
-- webhook: '' where the job has none
local id = ARGV[1]
if redis.call('EXISTS', key('job', id)) == 0 then return {false, redis.call('EXISTS', key('gone', id))} end
local webhook = redis.call('HGET', key('job', id), 'webhook') or ''
if webhook == '' then return {'', {}, {}, false, false} end
return {
  webhook, redis.call('HGETALL', key('outbox', id)), redis.call('LRANGE', key('attempts', id), 0, -1),
  redis.call('HGET', endpoint_of(owner_of(id), webhook), 'state'), redis.call('ZSCORE', OUTBOXES, id),
}
