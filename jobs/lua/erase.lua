-- ARGV: id, tombstone_s.  -> 1 erased (or already gone), 0 never heard of
local id = ARGV[1]
local attempt = redis.call('HGET', key('job', id), 'attempt')
if not attempt then return redis.call('EXISTS', key('gone', id)) end
forget(id)
redis.call('DEL', key('job', id), key('photo', id), key('twin', id))
for _, kind in ipairs(PICTURES) do
  redis.call('DEL', key(kind, id), key(kind, id .. ':' .. attempt))
end
redis.call('SET', key('gone', id), '1', 'EX', ARGV[2])
return 1
