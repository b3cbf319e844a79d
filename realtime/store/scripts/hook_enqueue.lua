-- Put an event into an endpoint's queue; where it is full the oldest are given up.
-- KEYS[1] queue - stream
-- KEYS[2] dead - stream: what was given up
-- KEYS[3] later - sorted set: entry to when it is tried again, in Unix ms
-- KEYS[4] tries - hash: entry to how often it was tried
-- KEYS[5] state - hash
-- ARGV[1] event_id - what the endpoint knows it by
-- ARGV[2] type - of the event
-- ARGV[3] room - id
-- ARGV[4] body - what is sent
-- ARGV[5] limit_bytes - of the queue, and of what was given up
-- ARGV[6] keep_ms - for which what was given up is kept
-- USES numbers, hooks
-- Returns how many were given up

local queue, dead, later, tries, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local limit_bytes = tonumber(ARGV[5])

redis.call('XADD', queue, '*', 'id', ARGV[1], 'type', ARGV[2], 'room', ARGV[3], 'body', ARGV[4])
local held = redis.call('HINCRBY', state, 'bytes', #ARGV[4] + ENTRY_BYTES)
local given_up = 0
while held > limit_bytes and given_up < ROOM_AT_ONCE do
  local oldest = redis.call('XRANGE', queue, '-', '+', 'COUNT', 1)[1]
  if not oldest then
    redis.call('HSET', state, 'bytes', '0')
    break
  end
  local tried = redis.call('HGET', tries, oldest[1]) or '0'
  held = take_out(queue, later, tries, state, oldest[1], #oldest[2][8])
  bury(dead, state, oldest[2], 'overflow', tried, limit_bytes, tonumber(ARGV[6]))
  given_up = given_up + 1
end
return given_up
