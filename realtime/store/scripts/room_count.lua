-- Announce how many users are online in a room.
-- KEYS[1] online - hash
-- ARGV[1] channel - of the room
-- ARGV[2] publish_command - PUBLISH or SPUBLISH
-- ARGV[3] head - presence event, before the count
-- ARGV[4] tail - presence event, after the count
-- Returns the count

local online, publish = KEYS[1], ARGV[2]

local count = redis.call('HLEN', online)
redis.call(publish, ARGV[1], ARGV[3] .. string.format('%.0f', count) .. ARGV[4])
return count
