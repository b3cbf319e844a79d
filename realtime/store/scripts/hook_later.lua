-- Have an entry of an endpoint's queue tried again later, beside the others.
-- KEYS[1] queue - stream
-- KEYS[2] later - sorted set: entry to when it is tried again, in Unix ms
-- KEYS[3] tries - hash: entry to how often it was tried
-- ARGV[1] entry - of the queue
-- ARGV[2] wait_ms - until then
-- ARGV[3] tried - how often it was
-- USES numbers
-- Returns 1 if it is still in the queue

local queue, later, tries, entry = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
if #redis.call('XRANGE', queue, entry, entry) == 0 then
  return 0
end
redis.call('ZADD', later, digits(clock() + ARGV[2]), entry)
redis.call('HSET', tries, entry, ARGV[3])
return 1
