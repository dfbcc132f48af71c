-- ARGV: owner.  -> how many jobs of theirs wait or run
return at_once(ARGV[1])
