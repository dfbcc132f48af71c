-- ARGV: owners.  -> of each, how many jobs of theirs wait or run
local counts = {}
for i, owner in ipairs(ARGV) do counts[i] = at_once(owner) end
return counts
