-- Keep the two of a direct room from writing, while one of them blocks the other.
-- KEYS[1] blocks - set: which of the two do
-- KEYS[2] meta - hash; the room need not be there yet
-- ARGV[1] user - id of who blocks
-- ARGV[2] on - 1: they do, 0: no longer
-- Returns 1 if the room is blocked now, else 0

local blocks, meta = KEYS[1], KEYS[2]

redis.call(ARGV[2] == '1' and 'SADD' or 'SREM', blocks, ARGV[1])
local is_blocked = redis.call('EXISTS', blocks)
if redis.call('HEXISTS', meta, 'kind') == 1 then
  if is_blocked == 1 then
    redis.call('HSET', meta, 'writers', 'blocked')
  elseif redis.call('HEXISTS', meta, 'absent') == 1 then
    redis.call('HSET', meta, 'writers', 'absent')
  else
    redis.call('HDEL', meta, 'writers')
  end
end
return is_blocked
