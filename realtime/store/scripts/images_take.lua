-- Take files that are due to be looked at; no other node takes them for a while.
-- KEYS[1] due - sorted set: when a file is looked at
-- ARGV[1] count - files at most
-- ARGV[2] taken_ms - milliseconds for which they are taken
-- Returns {now in Unix ms, {name, ...}}

local due = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local names = redis.call('ZRANGEBYSCORE', due, '-inf', string.format('%.0f', now),
  'LIMIT', 0, ARGV[1])
for _, name in ipairs(names) do
  redis.call('ZADD', due, string.format('%.0f', now + ARGV[2]), name)
end
return {now, names}
