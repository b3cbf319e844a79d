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
-- ARGV[5] around - the page is around this number; empty: as said
-- ARGV[6] at - the page is around the first message of this time or later, in Unix ms
-- USES numbers, judge, states
-- Returns {lowest number to be had, more 0|1, {message, ...}, newer ones 0|1, number that
-- the page is around, or 0}, or {-1, reason, number}: not_member

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
local around = tonumber(ARGV[5])

-- When a message was sent; nil of one that was lost.
local function sent_at(number)
  local state = redis.call('HGET', messages, digits(number))
  return state and tonumber(times_of(state)
    or string.match(state, ',"at":(%d+),"type":"deleted"') or '0')
end

if ARGV[6] ~= '' then
  local at, above = tonumber(ARGV[6]), last
  around = first
  while around < above do
    local middle = math.floor((around + above) / 2)
    if (sent_at(middle) or 0) < at then
      around = middle + 1
    else
      above = middle
    end
  end
end
local low, high, more
if around then
  around = math.max(first, math.min(around, last))
  low = math.max(first, around - math.floor(limit / 2))
  high = math.min(last, low + limit - 1)
  low = math.max(first, high - limit + 1)
  more = low > first
elseif after ~= '' then
  low = math.max(tonumber(after) + 1, first)
  high = math.min(low + limit - 1, last)
  more = high < last
else
  high = before == '' and last or math.min(tonumber(before) - 1, last)
  low = math.max(high - limit + 1, first)
  more = low > first
end
if high < low then
  return {first, 0, {}, 0, 0}
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
return {first, more and 1 or 0, page, high < last and 1 or 0, around or 0}
