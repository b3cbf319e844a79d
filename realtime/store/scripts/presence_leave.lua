-- Take a session off a room's session list; announce a user whose last one it was.
-- KEYS[1] sessions - hash
-- KEYS[2] online - hash
-- ARGV[1] sid - session id
-- ARGV[2] channel - of the room
-- ARGV[3] publish_command - PUBLISH or SPUBLISH
-- ARGV[4] announce_users - users up to which each one is announced
-- ARGV[5] head - presence event, before the user id in JSON
-- ARGV[6] tail - presence event, after the user id
-- Returns {announced 0|1, users online}

local sessions, online = KEYS[1], KEYS[2]
local sid = ARGV[1]

local announced = 0
local entry = redis.call('HGET', sessions, sid)
-- Whoever removes the entry announces the departure: one node, once.
if entry then
  local user = cjson.decode(entry)['user']
  redis.call('HDEL', sessions, sid)
  if redis.call('HINCRBY', online, user, -1) <= 0 then
    redis.call('HDEL', online, user)
    announced = 1
    if redis.call('HLEN', online) < tonumber(ARGV[4]) then
      redis.call(ARGV[3], ARGV[2], ARGV[5] .. cjson.encode(user) .. ARGV[6])
    end
  end
end
return {announced, redis.call('HLEN', online)}
