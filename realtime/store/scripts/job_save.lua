-- Keep how far a job is, if it is still the node's that has it.
-- KEYS[1] due - sorted set: job to when somebody looks at it, in Unix ms
-- KEYS[2] known - sorted set: job to when it is forgotten, in Unix ms
-- KEYS[3] state - hash
-- KEYS[4] result - stream
-- ARGV[1] job - id
-- ARGV[2] score - what it was due at when it was taken, or kept last
-- ARGV[3] lease_ms - until others take it; 0: they may at once; -1: it has ended
-- ARGV[4] keep_ms - until it is forgotten, from its end
-- ARGV[5] fields - JSON object of strings: what is known of it now
-- ARGV[6] chunk - what is added to its result; empty: nothing
-- USES numbers
-- Returns the score that it has now, 'ended' for none, '' if it is not the node's any more

local due, known, state, result, job = KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1]
local lease = tonumber(ARGV[3])

local score = redis.call('ZSCORE', due, job)
if not score or tonumber(score) ~= tonumber(ARGV[2]) then
  return ''
end
local now = clock()
for name, value in pairs(cjson.decode(ARGV[5])) do
  redis.call('HSET', state, name, value)
end
if ARGV[6] ~= '' then
  redis.call('XADD', result, '*', 'chunk', ARGV[6])
end
local ends_in = redis.call('PTTL', state)
if lease < 0 then
  redis.call('ZREM', due, job)
  redis.call('ZADD', known, digits(now + ARGV[4]), job)
  redis.call('HSET', state, 'endedAt', digits(now), 'expiresAt', digits(now + ARGV[4]))
  redis.call('PEXPIRE', state, ARGV[4])
  redis.call('PEXPIRE', result, ARGV[4])
  return 'ended'
end
if ends_in > 0 then
  redis.call('PEXPIRE', result, ends_in)
end
-- No time has half a millisecond: what is due at once is told from what is taken.
local kept = digits(now + lease) .. '.5'
redis.call('ZADD', due, kept, job)
return kept
