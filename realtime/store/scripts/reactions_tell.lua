-- Tell a large room how many have reacted to a message, and with what.
-- KEYS[1] reactions - hash: number to "<rev> <counts by key, JSON>"
-- ARGV[1] channel - of the room
-- ARGV[2] publish_command - PUBLISH or SPUBLISH
-- ARGV[3] message - number
-- ARGV[4] head - reactions event, before the counts
-- ARGV[5] tail - reactions event, after the counts
-- Returns 1, or 0 if there is no such message any more

local reactions, publish = KEYS[1], ARGV[2]

local reacted = redis.call('HGET', reactions, ARGV[3])
if not reacted then
  return 0
end
local counts = string.match(reacted, '^%d+ (.+)$')
redis.call(publish, ARGV[1], ARGV[4] .. counts .. ARGV[5])
return 1
