-- Change what is kept of an endpoint, unless somebody else has done so meanwhile.
-- KEYS[1] hooks - hash: id of an endpoint to what is known of it, JSON
-- ARGV[1] hook_id - of the endpoint
-- ARGV[2] before - what was known of it when it was read
-- ARGV[3] after - what is to be known of it
-- Returns 1 if that is known now

local known = redis.call('HGET', KEYS[1], ARGV[1])
if known == ARGV[2] then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
  known = ARGV[3]
end
return known == ARGV[3] and 1 or 0
