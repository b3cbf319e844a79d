-- Read a page of the messages that show images, the newest first, as a user may see them.
-- Rooms of an earlier version are looked through for them, some of it in each call.
-- KEYS[1] messages - hash
-- KEYS[2] meta - hash
-- KEYS[3] members - hash
-- KEYS[4] reactions - hash
-- KEYS[5] media - sorted set: numbers of messages with images
-- ARGV[1] user - id
-- ARGV[2] before - the page is of numbers below this one; empty: from the last on
-- ARGV[3] limit - messages at most
-- ARGV[4] step - messages that are looked through at most
-- USES numbers, judge, states
-- Returns {older ones 0|1, to be called again, some are not looked through 0|1,
-- {message, ...}}, or {-1, reason, number}: not_member

local messages, meta, members = KEYS[1], KEYS[2], KEYS[3]
local reactions, media = KEYS[4], KEYS[5]
local before, limit = ARGV[2], tonumber(ARGV[3])

local record = actor_of(members, ARGV[1])
if not record then
  return {-1, 'not_member', 0}
end
-- From `mediaFrom` on the sorted set has all that there are.
local known = redis.call('HMGET', meta, 'lastMessage', 'reactions', 'mediaFrom')
local last = tonumber(known[1] or '0')
local first = math.max(1, since_of(record), last - redis.call('HLEN', messages) + 1)
local high = before == '' and last or math.min(tonumber(before) - 1, last)
local from = math.min(tonumber(known[3] or last + 1), last + 1)

-- Numbers from `from` on, one more than the page has.
local function found()
  return redis.call('ZRANGE', media, digits(high), digits(math.max(first, from)),
    'BYSCORE', 'REV', 'LIMIT', 0, limit + 1)
end

-- What an application attached comes last, and may look like anything.
local function shows_images(state)
  local place = string.find(state, '"type":"image"', 1, true)
  local data = place and string.find(state, ',"data":', 1, true)
  return place and (not data or place < data)
end

local numbers = found()
if #numbers <= limit and from > first then
  local low = math.max(first, from - tonumber(ARGV[4]))
  local looked_at = {}
  for number = low, from - 1 do
    looked_at[#looked_at + 1] = digits(number)
  end
  for place, state in ipairs(redis.call('HMGET', messages, unpack(looked_at))) do
    if state and shows_images(state) then
      redis.call('ZADD', media, looked_at[place], looked_at[place])
    end
  end
  redis.call('HSET', meta, 'mediaFrom', digits(low))
  from = low
  numbers = found()
end

local older = #numbers > limit
local unlooked = not older and from > first
if older then
  numbers[#numbers] = nil
end
local page = {}
if #numbers > 0 then
  local reacted = known[2] and redis.call('HMGET', reactions, unpack(numbers)) or {}
  for place, state in ipairs(redis.call('HMGET', messages, unpack(numbers))) do
    -- One that was lost leaves a hole.
    if state then
      page[#page + 1] = with_reactions(state, reacted[place])
    end
  end
end
return {(older or unlooked) and 1 or 0, unlooked and 1 or 0, page}
