-- Read some of a room's messages by number, and return those that a user wrote.
-- Each is in its present state, with its reactions.
-- KEYS[1] messages - hash
-- KEYS[2] meta - hash
-- KEYS[3] reactions - hash
-- ARGV[1] user_json - the user's id, JSON
-- ARGV[2] start - number to begin with
-- ARGV[3] limit - messages that are looked at
-- USES numbers, states
-- Returns {number to go on with, 0: all was looked at, {message, ...}}

local messages, meta, reactions = KEYS[1], KEYS[2], KEYS[3]

local last = tonumber(redis.call('HGET', meta, 'lastMessage') or '0')
local kept = redis.call('HLEN', messages)
local low = math.max(tonumber(ARGV[2]), last - kept + 1, 1)
local high = math.min(last, low + tonumber(ARGV[3]) - 1)
if high < low then
  return {0, {}}
end
local numbers, found = {}, {}
for number = low, high do
  numbers[#numbers + 1] = digits(number)
end
for place, state in ipairs(redis.call('HMGET', messages, unpack(numbers))) do
  -- What could be theirs is looked at more closely.
  if state and string.find(state, '"user":' .. ARGV[1], 1, true) then
    local _, _, author = head_of(state)
    if author == ARGV[1] then
      found[#found + 1] = with_reactions(state,
        times_of(state) and redis.call('HGET', reactions, numbers[place]))
    end
  end
end
return {high < last and high + 1 or 0, found}
