-- Put a user on the list of those whom another one blocks, or take them off it.
-- KEYS[1] user_blocks - set
-- ARGV[1] blocked - id of the user
-- ARGV[2] on - 1: put on the list
-- ARGV[3] limit - users that a list has at most
-- Returns 1, or 0 if the list is full

local blocks, blocked = KEYS[1], ARGV[1]

if ARGV[2] == '0' then
  redis.call('SREM', blocks, blocked)
  return 1
end
if redis.call('SISMEMBER', blocks, blocked) == 0
  and redis.call('SCARD', blocks) >= tonumber(ARGV[3]) then
  return 0
end
redis.call('SADD', blocks, blocked)
return 1
