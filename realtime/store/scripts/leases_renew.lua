-- Renew a node's lease and list the nodes whose lease has run out.
-- KEYS[1] nodes - sorted set
-- ARGV[1] node - id of the node
-- ARGV[2] lease_ms - length of the lease in milliseconds
-- Returns {held 0|1, {expired node id, ...}}; held is 0 when the lease was not there or
-- had run out

local nodes, node = KEYS[1], ARGV[1]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = redis.call('ZSCORE', nodes, node)
-- One that has run out is as good as gone: another node may be clearing up after it.
local held = ends and tonumber(ends) > now and 1 or 0
redis.call('ZADD', nodes, string.format('%.0f', now + ARGV[2]), node)
-- A few at a time: the sweep of the rest comes with the next renewal.
local expired = redis.call('ZRANGEBYSCORE', nodes, '-inf', string.format('%.0f', now),
  'LIMIT', 0, 10)
return {held, expired}
