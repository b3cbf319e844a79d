-- Take a session off a room's session list; announce a user whose last one it was.
-- KEYS[1] sessions - hash
-- KEYS[2] online - hash
-- ARGV[1] sid - session id
-- ARGV[2] node - the life of a node whose entry it must be; empty: whoever's
-- ARGV[3] channel - of the room
-- ARGV[4] publish_command - PUBLISH or SPUBLISH
-- ARGV[5] announce_users - users up to which each one is announced
-- ARGV[6] head - presence event, before the user id in JSON
-- ARGV[7] tail - presence event, after the user id
-- Returns {announced 0|1, users online}

local sessions, online = KEYS[1], KEYS[2]
local sid, node, channel, publish = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

-- Both lists change together; one without the other was lost, and is made anew.
if redis.call('EXISTS', sessions) == 0 then
  redis.call('DEL', online)
elseif redis.call('EXISTS', online) == 0 then
  for _, each in ipairs(redis.call('HVALS', sessions)) do
    redis.call('HINCRBY', online, cjson.decode(each)['user'], 1)
  end
end
local announced = 0
local listed = redis.call('HGET', sessions, sid)
local entry = listed and cjson.decode(listed)
-- Whoever removes the entry announces the departure: one node, once. One that the
-- session's node has listed again, in another life, is not the one to be removed.
if entry and (node == '' or entry['node'] == node) then
  local user = entry['user']
  redis.call('HDEL', sessions, sid)
  if redis.call('HINCRBY', online, user, -1) <= 0 then
    redis.call('HDEL', online, user)
    announced = 1
    if redis.call('HLEN', online) < tonumber(ARGV[5]) then
      redis.call(publish, channel, ARGV[6] .. cjson.encode(user) .. ARGV[7])
    end
  end
end
return {announced, redis.call('HLEN', online)}
