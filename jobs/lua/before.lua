-- ARGV: once, payload.  -> {answer, id}, as `before` says
local answer, id = before(ARGV[1], ARGV[2])
return {answer, id or ''}
