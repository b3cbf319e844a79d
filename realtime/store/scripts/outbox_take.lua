-- Take rooms that are to be looked at; others leave them alone for a while.
-- KEYS[1] outbox - sorted set: room to when it is looked at, in Unix ms
-- ARGV[1] limit - rooms at most
-- ARGV[2] taken_ms - for whoever takes them to be done
-- USES numbers
-- Returns {room, ..., score that each of them has now}

local now = clock()
-- No mark has half a millisecond: one that is made from now on is told apart, and higher.
local taken = digits(now + ARGV[2] - 1) .. '.5'
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
for _, room in ipairs(found) do
  redis.call('ZADD', KEYS[1], taken, room)
end
found[#found + 1] = taken
return found
