-- Take back a reaction of a user who may be no member any more, without an event.
-- KEYS[1] reactions - hash: number to "<rev> <counts by key, JSON>"
-- KEYS[2] reactors - sorted set of "<number, 16 digits>:<key, quoted>:<user>"
-- ARGV[1] user - id
-- ARGV[2] message - number
-- ARGV[3] key_json - what they reacted with, JSON
-- USES numbers, reactions
-- Returns 1 if there was one

local reactions, reactors, message, key = KEYS[1], KEYS[2], ARGV[2], ARGV[3]

if redis.call('ZREM', reactors, reactor_of(message, key, ARGV[1])) == 0 then
  return 0
end
local stored = redis.call('HGET', reactions, message)
if stored then
  local rev, counts = string.match(stored, '^(%d+) (.+)$')
  counts = recounted(counts, key, math.max(0, count_of(counts, key) - 1))
  redis.call('HSET', reactions, message, rev .. ' ' .. counts)
end
return 1
