-- Read who is here and how far each member has read; counts only in a large room.
-- KEYS[1] last_read - sorted set
-- KEYS[2] online - hash
-- KEYS[3] members - hash
-- ARGV[1] limit - members whose marks, and users online whose names, are listed
-- USES numbers, marks
-- Returns {members, users online, marks listed 0|1, {user, mark, ...},
-- users listed 0|1, {user, ...}}

local last_read, online, members = KEYS[1], KEYS[2], KEYS[3]
local limit = tonumber(ARGV[1])

sort_marks(last_read)
local member_count = redis.call('HLEN', members)
local online_count = redis.call('HLEN', online)
local lists_marks = member_count <= limit
local lists_users = online_count <= limit
return {
  member_count,
  online_count,
  lists_marks and 1 or 0,
  lists_marks and redis.call('ZRANGE', last_read, 0, -1, 'WITHSCORES') or {},
  lists_users and 1 or 0,
  lists_users and redis.call('HKEYS', online) or {},
}
