-- Put a room on a user's list unless the list is full.
-- KEYS[1] user_rooms - set: the user's rooms
-- ARGV[1] room - id
-- ARGV[2] limit - rooms that a user may be a member of
-- Returns 1 if the room is on the list now, 0 if the list is full

local rooms = KEYS[1]
local room, limit = ARGV[1], tonumber(ARGV[2])

if redis.call('SISMEMBER', rooms, room) == 0 then
  if redis.call('SCARD', rooms) >= limit then
    return 0
  end
  redis.call('SADD', rooms, room)
end
return 1
