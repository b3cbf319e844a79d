-- Make a user a member of a room, if not one yet; what came before counts as read.
-- The first member of a room that was about to end keeps it.
-- KEYS[1] members - hash
-- KEYS[2] last_read - sorted set
-- KEYS[3] meta - hash
-- KEYS[4] quits - sorted set
-- KEYS[5] log - stream
-- KEYS[6] messages - hash
-- ARGV[1] user - id
-- ARGV[2] role - of a new member
-- ARGV[3] returning - 1: they come back, and stay out if they quit meanwhile
-- ARGV[4] keep_seconds - how long the notes of quits are kept
-- USES numbers, marks
-- Returns {new 0|1, lastMessage, lastReadMessage}, or {-1} for who stays out

local members, last_read, meta, quits = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local log, messages = KEYS[5], KEYS[6]
local user, role = ARGV[1], ARGV[2]

sort_marks(last_read)
local top = redis.call('HGET', meta, 'lastMessage') or '0'
local new = 0
if redis.call('HEXISTS', members, user) == 0 then
  if ARGV[3] == '1' and redis.call('ZSCORE', quits, user) then
    return {-1}
  end
  if redis.call('EXISTS', members) == 0 then
    redis.call('PERSIST', last_read)
    redis.call('PERSIST', meta)
    redis.call('PERSIST', log)
    redis.call('PERSIST', messages)
    redis.call('EXPIRE', quits, ARGV[4])
  end
  redis.call('HSET', members, user,
    '{"role":"' .. role .. '","joinedAt":' .. digits(clock()) .. '}')
  redis.call('ZADD', last_read, top, user)
  redis.call('ZREM', quits, user)
  new = 1
end
local read = redis.call('ZSCORE', last_read, user) or '0'
return {new, tonumber(top), tonumber(read)}
