-- Renew the lease of a node's life, or begin one; list those whose lease has run out.
-- One that has run out is dead for good: nobody can renew it while another clears up
-- after it, however the clock goes.
-- KEYS[1] nodes - sorted set
-- ARGV[1] node - id of the node's life
-- ARGV[2] lease_ms - length of the lease in milliseconds
-- ARGV[3] begins - 1: the life begins now
-- ARGV[4] former - the life before it, which is dead; empty: none
-- Returns {held 0|1, {dead node id, ...}}; held is 0 for a life that has ended: nothing
-- was renewed

local nodes, node = KEYS[1], ARGV[1]
local lease, former = tonumber(ARGV[2]), ARGV[4]

-- Leases so many lengths ahead are of a clock that was ahead: they are cut to one.
local AHEAD = 4

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function ms(number)
  return string.format('%.0f', number)
end

local held = 1
if ARGV[3] == '0' then
  local ends = redis.call('ZSCORE', nodes, node)
  held = ends and tonumber(ends) > now and 1 or 0
end
if held == 1 then
  redis.call('ZADD', nodes, ms(now + lease), node)
end
if former ~= '' then
  redis.call('ZADD', nodes, 0, former)
end
for _, ahead in ipairs(redis.call('ZRANGEBYSCORE', nodes,
  '(' .. ms(now + AHEAD * lease), '+inf', 'LIMIT', 0, 10)) do
  redis.call('ZADD', nodes, ms(now + lease), ahead)
end
-- A few at a time: the sweep of the rest comes with the next renewal.
local dead = redis.call('ZRANGEBYSCORE', nodes, '-inf', ms(now), 'LIMIT', 0, 10)
for _, each in ipairs(dead) do
  redis.call('ZADD', nodes, 0, each)
end
return {held, dead}
