-- End a user's membership of a room, tell all nodes, and note it for the deaf ones.
-- With the last member's the room itself ends, after a while: all keys of it.
-- KEYS[1] members - hash
-- KEYS[2] last_read - sorted set
-- KEYS[3] quits - sorted set
-- KEYS[4] meta - hash
-- KEYS[5] log - stream
-- KEYS[6] messages - hash
-- KEYS[7] sessions - hash
-- KEYS[8] online - hash
-- ARGV[1] user - id
-- ARGV[2] keep_seconds - how long the note is kept
-- ARGV[3] channel - of the room
-- ARGV[4] publish_command - PUBLISH or SPUBLISH
-- ARGV[5] control - message that tells the nodes of it
-- ARGV[6] empty_seconds - how long a room without members is kept
-- USES numbers, marks
-- Returns 1 if the user was a member, else 0

local members, last_read, quits = KEYS[1], KEYS[2], KEYS[3]
local user, keep = ARGV[1], tonumber(ARGV[2])
local meta, log, messages = KEYS[4], KEYS[5], KEYS[6]
local sessions, online, empty = KEYS[7], KEYS[8], tonumber(ARGV[6])
local channel, publish, control = ARGV[3], ARGV[4], ARGV[5]

sort_marks(last_read)
redis.call('ZREM', last_read, user)
if redis.call('HDEL', members, user) == 0 then
  return 0
end
local now = tonumber(redis.call('TIME')[1])
for _, old in ipairs(redis.call('ZRANGEBYSCORE', quits, '-inf', now - keep)) do
  redis.call('ZREM', quits, old)
end
redis.call('ZADD', quits, now, user)
if redis.call('EXISTS', members) == 0 then
  keep = math.min(keep, empty)
  redis.call('EXPIRE', last_read, empty)
  redis.call('EXPIRE', meta, empty)
  redis.call('EXPIRE', log, empty)
  redis.call('EXPIRE', messages, empty)
  redis.call('EXPIRE', sessions, empty)
  redis.call('EXPIRE', online, empty)
end
redis.call('EXPIRE', quits, keep)
redis.call(publish, channel, control)
return 1
