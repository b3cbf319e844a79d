-- Put a room on a user's list, unless the list is full or too many were put on it lately.
-- KEYS[1] user_rooms - set: the user's rooms
-- KEYS[2] new_rooms - string: Unix ms at which all may be put on it at once again
-- ARGV[1] room - id
-- ARGV[2] limit - rooms that a user may be a member of
-- ARGV[3] each_ms - milliseconds of the rate that one room takes, 0 for no rate
-- ARGV[4] burst_ms - milliseconds of the rate that may be taken at once
-- Returns {on the list now 0|1, milliseconds to wait: 0 if the list is full, put there now 0|1}

local rooms, new_rooms = KEYS[1], KEYS[2]
local room, limit = ARGV[1], tonumber(ARGV[2])
local each, burst = tonumber(ARGV[3]), tonumber(ARGV[4])

if redis.call('SISMEMBER', rooms, room) == 1 then
  return {1, 0, 0}
end
if redis.call('SCARD', rooms) >= limit then
  return {0, 0, 0}
end
if each > 0 then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local full_at = tonumber(redis.call('GET', new_rooms) or '0')
  -- What a clock that was ahead has left behind counts as a burst, not for ever.
  full_at = math.min(math.max(now, full_at), now + burst) + each
  local wait = full_at - now - burst
  if wait > 0 then
    return {0, math.ceil(wait), 0}
  end
  redis.call('SET', new_rooms, string.format('%.0f', full_at),
    'PX', string.format('%.0f', full_at - now + 1))
end
redis.call('SADD', rooms, room)
return {1, 0, 1}
