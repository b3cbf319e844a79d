-- Forget a room of which all is passed on, unless it was marked since it was taken.
-- KEYS[1] outbox - sorted set: room to when it is looked at, in Unix ms
-- ARGV[1] room - its id
-- ARGV[2] score - that it had when it was taken
-- Returns 1 if it is forgotten

local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if score and tonumber(score) == tonumber(ARGV[2]) then
  return redis.call('ZREM', KEYS[1], ARGV[1])
end
return 0
