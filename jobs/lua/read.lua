-- ARGV: id.  -> {record, is_gone, again, rank, running, pace}, or {false, is_gone} if there is no record
-- again: until when it can be retried, or false.  rank: in the line of its kind, from 0, or false.  running: jobs of
-- its kind.  pace: seconds between the ends of its kind, and those that one takes, each or false
local id = ARGV[1]
local record = redis.call('HGETALL', key('job', id))
if #record == 0 then return {false, redis.call('EXISTS', key('gone', id))} end
local kind = redis.call('HGET', key('job', id), 'kind')
return {
  record, 0, redis.call('GET', key('again', id)),
  redis.call('ZRANK', key('line', kind), id), redis.call('ZCARD', key('running', kind)),
  redis.call('HMGET', key('pace', kind), 'seconds', 'run_s'),
}
