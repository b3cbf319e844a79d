-- Give up on an entry of an endpoint's queue.
-- KEYS[1] queue - stream
-- KEYS[2] dead - stream: what was given up
-- KEYS[3] later - sorted set: entry to when it is tried again, in Unix ms
-- KEYS[4] tries - hash: entry to how often it was tried
-- KEYS[5] state - hash
-- ARGV[1] entry - of the queue
-- ARGV[2] why - a word
-- ARGV[3] tried - how often it was
-- ARGV[4] limit_bytes - of what was given up
-- ARGV[5] keep_ms - for which it is kept
-- USES numbers, hooks
-- Returns 1 if it was in the queue

local queue, dead, later, tries, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local entry = redis.call('XRANGE', queue, ARGV[1], ARGV[1])[1]
if not entry then
  return 0
end
take_out(queue, later, tries, state, ARGV[1], #entry[2][8])
bury(dead, state, entry[2], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]))
return 1
