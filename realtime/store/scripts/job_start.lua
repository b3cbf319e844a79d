-- Begin a job, unless it is waiting or under way.
-- KEYS[1] due - sorted set: job to when somebody looks at it, in Unix ms
-- KEYS[2] known - sorted set: job to when it is forgotten, in Unix ms
-- KEYS[3] state - hash
-- KEYS[4] result - stream
-- ARGV[1] job - id
-- ARGV[2] fields - JSON object of strings: what is known of it
-- ARGV[3] limit - jobs that may be known
-- ARGV[4] keep_ms - until it is forgotten, if it does not end
-- USES numbers
-- Returns {begun 0|1}, or {-1, reason, 0}: jobs: there are too many

local due, known, state, result, job = KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1]

local status = redis.call('HGET', state, 'status')
if status == 'waiting' or status == 'running' then
  return {0}
end
local now = clock()
redis.call('ZREMRANGEBYSCORE', known, '-inf', digits(now))
if redis.call('ZCARD', known) >= tonumber(ARGV[3]) and not redis.call('ZSCORE', known, job) then
  return {-1, 'jobs', 0}
end
redis.call('DEL', state, result)
redis.call('HSET', state, 'status', 'waiting', 'createdAt', digits(now))
for name, value in pairs(cjson.decode(ARGV[2])) do
  redis.call('HSET', state, name, value)
end
redis.call('PEXPIRE', state, ARGV[4])
redis.call('ZADD', known, digits(now + ARGV[4]), job)
redis.call('ZADD', due, digits(now), job)
return {1}
