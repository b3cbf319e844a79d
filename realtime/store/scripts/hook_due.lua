-- Read what of an endpoint's queue is due to be tried again.
-- KEYS[1] queue - stream
-- KEYS[2] later - sorted set: entry to when it is tried again, in Unix ms
-- KEYS[3] tries - hash: entry to how often it was tried
-- ARGV[1] ahead_ms - what is due so soon is due
-- ARGV[2] limit - entries at most
-- USES numbers
-- Returns {{entry, id, type, room, body, tries}, ...}

local queue, later, tries = KEYS[1], KEYS[2], KEYS[3]
local found = {}
local due = redis.call('ZRANGEBYSCORE', later, '-inf', digits(clock() + ARGV[1]),
  'LIMIT', 0, ARGV[2])
for _, each in ipairs(due) do
  local entry = redis.call('XRANGE', queue, each, each)[1]
  if entry then
    local fields = entry[2]
    found[#found + 1] = {each, fields[2], fields[4], fields[6], fields[8],
      tonumber(redis.call('HGET', tries, each) or '0')}
  else
    redis.call('ZREM', later, each)
    redis.call('HDEL', tries, each)
  end
end
return found
