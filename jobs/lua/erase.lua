-- ARGV: id, tombstone_s.  -> 1 erased (or already gone), 0 never heard of
local id = ARGV[1]
local owner = owner_of(id)
local record = redis.call('HMGET', key('job', id), 'status', 'token')
if not record[1] then return redis.call('EXISTS', key('gone', id)) end
forget(id)
redis.call('ZREM', OUTBOXES, id)
leave(id)
redis.call('SREM', key('owned', owner), id)
redis.call('ZREM', INDEX, id)
wipe(unpack(parts(id)))
wipe_pictures(id)
wipe_pictures(id .. ':' .. tostring(record[2]))
redis.call('SET', key('gone', id), owner, 'EX', ARGV[2])
return 1
