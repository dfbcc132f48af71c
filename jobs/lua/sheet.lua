-- ARGV: id, token, step, picture.  Keeps how a style in training looks, as long as it is trained.  -> 1 kept, 0 no longer
-- the owner
local id, sheet = ARGV[1], key('sheet', ARGV[1])
if not is_current(id, ARGV[2]) then return 0 end
redis.call('HSET', sheet, 'step', ARGV[3], 'picture', ARGV[4])
keep(sheet, redis.call('TTL', key('job', id)))
return 1
