-- Put what was given up back into an endpoint's queue.
-- KEYS[1] queue - stream
-- KEYS[2] dead - stream: what was given up
-- KEYS[3] state - hash
-- ARGV[1] entry - of what was given up
-- USES numbers, hooks
-- Returns 1 if it was there

local queue, dead, state = KEYS[1], KEYS[2], KEYS[3]
local entry = redis.call('XRANGE', dead, ARGV[1], ARGV[1])[1]
if not entry then
  return 0
end
local fields = entry[2]
local bytes = #fields[8] + ENTRY_BYTES
redis.call('XDEL', dead, ARGV[1])
redis.call('HINCRBY', state, 'deadBytes', -bytes)
redis.call('XADD', queue, '*', unpack(fields, 1, 8))
redis.call('HINCRBY', state, 'bytes', bytes)
return 1
