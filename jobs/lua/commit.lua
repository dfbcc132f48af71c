-- ARGV: id, token, output, timings, ttl_s, tombstone_s.  -> 1 committed, 0 dropped
-- Pictures are staged under the token, so a zombie can never overwrite the real ones.
local id, token, ttl_s = ARGV[1], ARGV[2], tonumber(ARGV[5])
local owner = is_current(id, token)
for _, kind in ipairs(PICTURES) do
  local staged = key(kind, id .. ':' .. token)
  if owner then
    if redis.call('EXISTS', staged) == 1 then  -- not every job has all of them
      redis.call('RENAME', staged, key(kind, id))
      redis.call('ZREM', ENDS, staged)
      keep(key(kind, id), ttl_s)
    end
  else
    wipe(staged)
  end
end
if not owner then return 0 end
redis.call('HSET', key('job', id), 'timings', ARGV[4])
close(id, 'succeeded', 'output', ARGV[3], ttl_s, tonumber(ARGV[6]))
return 1
