-- Become, or stay, the one node that delivers to an endpoint; or give it up.
-- KEYS[1] owner - string with a TTL
-- ARGV[1] node - who asks
-- ARGV[2] lease_ms - for how long; 0: it is given up
-- Returns 1 if it is the node's now

local owner, node = KEYS[1], ARGV[1]
local by = redis.call('GET', owner)
if by and by ~= node then
  return 0
end
if ARGV[2] == '0' then
  redis.call('DEL', owner)
  return 0
end
redis.call('SET', owner, node, 'PX', ARGV[2])
return 1
