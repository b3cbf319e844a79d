-- Add what a user took at one node to what they took at all nodes.
-- KEYS[1] rate - string: Unix ms at which the user may take a whole burst again
-- ARGV[1] taken_ms - milliseconds of the rate that were taken
-- ARGV[2] burst_ms - milliseconds of the rate that may be taken at once
-- Returns {milliseconds until more may be taken, 0 if at once; until all may be}

local rate = KEYS[1]
local taken, burst = tonumber(ARGV[1]), tonumber(ARGV[2])

-- More bursts than these were never taken: a clock was ahead.
local AHEAD = 10

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local full_at = math.max(now, tonumber(redis.call('GET', rate) or '0'))
full_at = math.min(full_at, now + AHEAD * burst) + taken
redis.call('SET', rate, string.format('%.0f', full_at),
  'PX', string.format('%.0f', full_at - now + 1))
return {math.max(0, math.ceil(full_at - now - burst)), math.ceil(full_at - now)}
