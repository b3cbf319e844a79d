-- Announce how many users are online in a room, or belong to it.
-- KEYS[1] counted - hash: a field for each one who counts
-- ARGV[1] least - counts below it are told to nobody
-- ARGV[2] channel - of the room
-- ARGV[3] publish_command - PUBLISH or SPUBLISH
-- ARGV[4] head - the event, before the count
-- ARGV[5] tail - the event, after the count
-- Returns the count

local counted, publish = KEYS[1], ARGV[3]

local count = redis.call('HLEN', counted)
if count >= tonumber(ARGV[1]) then
  redis.call(publish, ARGV[2], ARGV[4] .. string.format('%.0f', count) .. ARGV[5])
end
return count
