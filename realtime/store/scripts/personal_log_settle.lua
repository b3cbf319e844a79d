-- Tell a user's devices that a room came to the user's list or left it, once.
-- The settings of a room go with it.
-- KEYS[1] log - stream
-- KEYS[2] meta - hash
-- KEYS[3] mine - hash: the rooms that were told of
-- KEYS[4] user_rooms - set: the user's rooms
-- ARGV[1] channel - of the user
-- ARGV[2] publish_command - PUBLISH or SPUBLISH
-- ARGV[3] uid - of the event, unique
-- ARGV[4] log_limit - events that the log keeps at most
-- ARGV[5] log_bytes - bytes of events that it keeps, roughly
-- ARGV[6] log_age_ms - milliseconds that it keeps an event at most
-- ARGV[7] keep_seconds - how long the log is kept after its last event
-- ARGV[8] room - id
-- ARGV[9] reason - why the room left the list, if it did
-- USES numbers, log, personal
-- Returns 1 if an event was written, 0 if the devices had been told

local log, meta, mine, rooms = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local room = ARGV[8]
local told = {ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]}

local listed = redis.call('SISMEMBER', rooms, room)
if listed == redis.call('HEXISTS', mine, room) then
  return 0
end
local name, body = 'room_added', '"room":"' .. room .. '"'
if listed == 1 then
  redis.call('HSET', mine, room, '')
  redis.call('PERSIST', mine)
else
  redis.call('HDEL', mine, room)
  if redis.call('EXISTS', rooms) == 0 then
    redis.call('EXPIRE', mine, ARGV[7])
  end
  name, body = 'room_removed', body .. ',"reason":"' .. ARGV[9] .. '"'
end
return tell_user(log, meta, name, body, told) or 1
