-- Read a page of messages by number, as far back as the user may see.
-- Each is in its present state, with its reactions.
-- KEYS[1] messages - hash
-- KEYS[2] meta - hash
-- KEYS[3] members - hash
-- KEYS[4] reactions - hash
-- ARGV[1] user - id; empty: whoever may see everything
-- ARGV[2] before - the page ends below this number; empty: with the last
-- ARGV[3] after - the page begins above this number; empty: it ends as said
-- ARGV[4] limit - messages at most
-- USES numbers, judge, states
-- Returns {lowest number to be had, more 0|1, {message, ...}}, or {-1, reason, number}:
-- not_member

local messages, meta, members, reactions = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local user, before, after, limit = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

local since = 1
if user ~= '' then
  local record = actor_of(members, user)
  if not record then
    return {-1, 'not_member', 0}
  end
  since = since_of(record)
end
local known = redis.call('HMGET', meta, 'lastMessage', 'reactions')
local last = tonumber(known[1] or '0')
-- What is kept has no holes, whatever the limit was.
local first = math.max(1, since, last - redis.call('HLEN', messages) + 1)
local low, high, more
if after ~= '' then
  low = math.max(tonumber(after) + 1, first)
  high = math.min(low + limit - 1, last)
  more = high < last
else
  high = before == '' and last or math.min(tonumber(before) - 1, last)
  low = math.max(high - limit + 1, first)
  more = low > first
end
if high < low then
  return {first, 0, {}}
end
local numbers = {}
for number = low, high do
  numbers[#numbers + 1] = digits(number)
end
local page = redis.call('HMGET', messages, unpack(numbers))
if known[2] then
  for place, reacted in ipairs(redis.call('HMGET', reactions, unpack(numbers))) do
    if page[place] then
      page[place] = with_reactions(page[place], reacted)
    end
  end
end
return {first, more and 1 or 0, page}
