-- Forget a file that was deleted.
-- KEYS[1] - uses hash of the file
-- KEYS[2] - due sorted set
-- ARGV[1] - name of the file
-- Returns nothing

local uses, due = KEYS[1], KEYS[2]
redis.call('DEL', uses)
redis.call('ZREM', due, ARGV[1])
