-- Note that a message is about to show a file, and count it to its user.
-- KEYS[1] uses - hash: what shows the file
-- KEYS[2] user_bytes - hash: bytes of each user's images
-- KEYS[3] due - sorted set: when a file is looked at
-- ARGV[1] use - "<room> <clientId> <user>"
-- ARGV[2] user - id
-- ARGV[3] limit_bytes - of all images of a user
-- ARGV[4] pending_ms - milliseconds until the file is looked at
-- ARGV[5] name - of the file
-- ARGV[6] size - bytes of the file
-- Returns 1; 0 if it would be too much; -1 if the file is being deleted

local uses, bytes, due = KEYS[1], KEYS[2], KEYS[3]
local use, user, size = ARGV[1], ARGV[2], ARGV[6]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function digits(number)
  return string.format('%.0f', number)
end

if redis.call('HEXISTS', uses, '') == 1 then
  return -1
end
local known = redis.call('HGET', uses, use)
if not known then
  local all = tonumber(redis.call('HGET', bytes, user) or '0') + size
  if all > tonumber(ARGV[3]) then
    return 0
  end
  redis.call('HSET', bytes, user, digits(all))
end
-- A use that is claimed again keeps its message.
local message = known and string.match(known, '^%d+ (%d+) ') or '0'
redis.call('HSET', uses, use, size .. ' ' .. message .. ' ' .. digits(now))
redis.call('ZADD', due, digits(now + ARGV[4]), ARGV[5])
return 1
