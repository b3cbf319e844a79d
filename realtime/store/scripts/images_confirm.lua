-- Note the number of the message that shows a file.
-- KEYS[1] uses - hash: what shows the file
-- KEYS[2] due - sorted set: when a file is looked at
-- ARGV[1] use - "<room> <clientId> <user>"
-- ARGV[2] message - number
-- ARGV[3] look_ms - milliseconds until the file is looked at
-- ARGV[4] name - of the file
-- Returns 1, or 0 if the file was not claimed for this use

local uses, due = KEYS[1], KEYS[2]
local known = redis.call('HGET', uses, ARGV[1])
if not known then
  return 0
end
local size, claimed = string.match(known, '^(%d+) %d+ (%d+)$')
redis.call('HSET', uses, ARGV[1], size .. ' ' .. ARGV[2] .. ' ' .. claimed)
local time = redis.call('TIME')
local at = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[3]
redis.call('ZADD', due, string.format('%.0f', at), ARGV[4])
return 1
