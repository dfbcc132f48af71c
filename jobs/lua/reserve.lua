-- ARGV: once, reader, reading_s.  -> 1 the reader's to read, or read already; 0 another one reads it now
-- reading_s: 0 gives the reservation back.
local name = key('reading', ARGV[1])
local reader = redis.call('GET', name)
if reader and reader ~= ARGV[2] then return 0 end
if ARGV[3] == '0' then
  redis.call('DEL', name)
elseif redis.call('EXISTS', key('once', ARGV[1])) == 0 then
  redis.call('SET', name, ARGV[2], 'EX', ARGV[3])
end
return 1
