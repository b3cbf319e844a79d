-- Forget a file that was deleted.
-- KEYS[1] uses - hash: what shows the file
-- KEYS[2] due - sorted set: when a file is looked at
-- ARGV[1] name - of the file
-- Returns nothing

local uses, due = KEYS[1], KEYS[2]
redis.call('DEL', uses)
redis.call('ZREM', due, ARGV[1])
