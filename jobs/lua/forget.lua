-- ARGV: names.  Deletes what was staged for a job that was not taken.
for _, name in ipairs(ARGV) do wipe(name) end
return 1
