-- Count a report of a user, unless they made too many in the time that is counted.
-- KEYS[1] user_reports - string: reports in that time
-- ARGV[1] limit - reports of that time
-- ARGV[2] seconds - its length, from its first report on
-- Returns milliseconds to wait, 0 if it was counted

local count = redis.call('INCR', KEYS[1])
if count == 1 then
  redis.call('EXPIRE', KEYS[1], ARGV[2])
end
if count <= tonumber(ARGV[1]) then
  return 0
end
redis.call('DECR', KEYS[1])
return math.max(1, redis.call('PTTL', KEYS[1]))
