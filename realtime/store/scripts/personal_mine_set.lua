-- Change a user's own settings of a room, and tell their devices if that changed any.
-- KEYS[1] log - stream
-- KEYS[2] meta - hash
-- KEYS[3] mine - hash: settings by room
-- KEYS[4] user_rooms - set: the user's rooms
-- ARGV[1] channel - of the user
-- ARGV[2] publish_command - PUBLISH or SPUBLISH
-- ARGV[3] uid - of the event, unique
-- ARGV[4] log_limit - events that the log keeps at most
-- ARGV[5] log_bytes - bytes of events that it keeps, roughly
-- ARGV[6] log_age_ms - milliseconds that it keeps an event at most
-- ARGV[7] keep_seconds - how long the log is kept after its last event
-- ARGV[8] room - id
-- ARGV[9] letters_on - of the settings that are to hold
-- ARGV[10] letters_off - of the settings that are not
-- USES numbers, log, personal
-- Returns the letters that hold now, or {-1, not_member, 0}

local log, meta, mine, rooms = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local room, on, off = ARGV[8], ARGV[9], ARGV[10]
local told = {ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]}

if redis.call('SISMEMBER', rooms, room) == 0 then
  return {-1, 'not_member', 0}
end
local before = redis.call('HGET', mine, room) or ''
local after = ''
for letter in string.gmatch(LETTERS, '%l') do
  local holds = string.find(before, letter, 1, true)
    and not string.find(off, letter, 1, true)
  if holds or string.find(on, letter, 1, true) then
    after = after .. letter
  end
end
if after == before then
  return after
end
redis.call('HSET', mine, room, after)
return tell_user(log, meta, 'room_mine', settings_of(room, after), told) or after
