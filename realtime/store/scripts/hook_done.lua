-- Take what an endpoint has got out of its queue.
-- KEYS[1] queue - stream
-- KEYS[2] later - sorted set: entry to when it is tried again, in Unix ms
-- KEYS[3] tries - hash: entry to how often it was tried
-- KEYS[4] state - hash
-- ARGV[1] entry - of the queue
-- ARGV[2] bytes - of its body
-- USES numbers, hooks
-- Returns 1 if it was there

return take_out(KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1], ARGV[2]) and 1 or 0
