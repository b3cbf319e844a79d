-- Put a session on a room's session list; announce a user who was not there.
-- Whoever quit is neither listed nor announced: they come back and do not know of it.
-- KEYS[1] sessions - hash
-- KEYS[2] online - hash
-- KEYS[3] quits - sorted set
-- ARGV[1] sid - session id
-- ARGV[2] user - id
-- ARGV[3] entry - the session's entry, JSON
-- ARGV[4] channel - of the room
-- ARGV[5] publish_command - PUBLISH or SPUBLISH
-- ARGV[6] announce_users - users up to which each one is announced
-- ARGV[7] event - presence event of this user
-- Returns {announced 0|1, users online}

local sessions, online, quits = KEYS[1], KEYS[2], KEYS[3]
local sid, user, entry = ARGV[1], ARGV[2], ARGV[3]

if redis.call('ZSCORE', quits, user) then
  return {0, redis.call('HLEN', online)}
end
-- Both lists change together; one without the other was lost, and is made anew.
if redis.call('EXISTS', sessions) == 0 then
  redis.call('DEL', online)
elseif redis.call('EXISTS', online) == 0 then
  for _, each in ipairs(redis.call('HVALS', sessions)) do
    redis.call('HINCRBY', online, cjson.decode(each)['user'], 1)
  end
end
local announced = 0
-- A session that is listed already (a repeated call) must not count twice.
if redis.call('HSET', sessions, sid, entry) == 1 then
  if redis.call('HINCRBY', online, user, 1) == 1 then
    announced = 1
  end
end
local users = redis.call('HLEN', online)
if announced == 1 and users <= tonumber(ARGV[6]) then
  redis.call(ARGV[5], ARGV[4], ARGV[7])
end
return {announced, users}
