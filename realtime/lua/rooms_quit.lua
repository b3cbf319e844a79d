-- End a user's membership of a room, and note it for nodes that do not hear of it.
-- KEYS[1] - members hash
-- KEYS[2] - lastRead hash
-- KEYS[3] - quits sorted set
-- ARGV[1] - user id
-- ARGV[2] - seconds the note is kept
-- Returns 1 if the user was a member, else 0

local members, last_read, quits = KEYS[1], KEYS[2], KEYS[3]
local user, keep = ARGV[1], tonumber(ARGV[2])

redis.call('HDEL', last_read, user)
if redis.call('HDEL', members, user) == 0 then
  return 0
end
local now = tonumber(redis.call('TIME')[1])
for _, old in ipairs(redis.call('ZRANGEBYSCORE', quits, '-inf', now - keep)) do
  redis.call('ZREM', quits, old)
end
redis.call('ZADD', quits, now, user)
redis.call('EXPIRE', quits, keep)
return 1
