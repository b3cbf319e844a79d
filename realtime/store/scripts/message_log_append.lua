-- Store one message and publish it: dedupe, number, log, keep and publish in one step.
-- KEYS[1] log - stream
-- KEYS[2] messages - hash
-- KEYS[3] meta - hash
-- KEYS[4] last_read - hash
-- KEYS[5] members - hash
-- KEYS[6] sent - string: what this user's clientId gave
-- ARGV[1] channel - of the room
-- ARGV[2] publish_command - PUBLISH or SPUBLISH
-- ARGV[3] user - id
-- ARGV[4] uid - of the event, unique
-- ARGV[5] body - the message's own JSON members, "room" to "clientId", no braces
-- ARGV[6] remember_seconds - how long the clientId is remembered
-- ARGV[7] log_limit - events the log keeps at most
-- ARGV[8] log_age_ms - milliseconds the log keeps an event at most
-- ARGV[9] history_limit - messages the history keeps at most
-- Returns {duplicate 0|1, message, offset, uid, at in Unix ms}, {-1} for no member, or
-- {-2} where the meta hash was lost, or does not fit the log: it is to be mended first

local log, messages, meta = KEYS[1], KEYS[2], KEYS[3]
local last_read, members, sent = KEYS[4], KEYS[5], KEYS[6]
local channel, publish, user, uid, body = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local remember_seconds, log_limit = ARGV[6], ARGV[7]
local log_age, history_limit = tonumber(ARGV[8]), tonumber(ARGV[9])

-- Events whose age is looked at, and messages that are forgotten, in one append: none
-- pays for a long backlog.
local TRIM_AT_ONCE = 100

-- A clock that is set back by less must not make a later message look older; one that was
-- further ahead was wrong, and is not followed.
local SET_BACK_MS = 120000

-- Events that are too old must be so for this long: a clock that is ahead for a moment
-- must not take the log away.
local TOO_OLD_MS = 600000

-- Lua writes large numbers as 1e+14; JSON readers and our own want digits.
local function digits(number)
  return string.format('%.0f', number)
end

-- What a repeated clientId gets: the first result.
local function remembered(result)
  local n, o, u, a = string.match(result, '^(%d+) (%d+) (%S+) (%d+)$')
  -- The same uid is the same call, sent again after its answer was lost.
  return {u == uid and 0 or 1, tonumber(n), tonumber(o), u, tonumber(a)}
end

if redis.call('HEXISTS', members, user) == 0 then
  -- Stored while they were a member, and asked for after they quit.
  local before = redis.call('GET', sent)
  return before and remembered(before) or {-1}
end
local known = redis.call('HMGET', meta,
  'offset', 'lastMessage', 'at', 'oldestAt', 'trimAt')
if not known[1] and redis.call('EXISTS', log, messages) > 0 then
  return {-2}
end
local offset = tonumber(known[1] or '0') + 1
local number = tonumber(known[2] or '0') + 1
local time = redis.call('TIME')
local at = time[1] * 1000 + math.floor(time[2] / 1000)
local before = tonumber(known[3] or '0')
if before > at and before - at <= SET_BACK_MS then
  at = before
end
-- An event of a clock that was ahead is as old as the moment in which it is found.
local oldest_at = math.min(at, tonumber(known[4] or at))
local offset_text, number_text, at_text = digits(offset), digits(number), digits(at)

local result = number_text .. ' ' .. offset_text .. ' ' .. uid .. ' ' .. at_text
local first = redis.call('SET', sent, result, 'EX', remember_seconds, 'NX', 'GET')
if first then
  return remembered(first)
end

-- The bytes that realtime/store/events.py describes; the two change together.
local message = '{"offset":' .. offset_text .. ',"uid":"' .. uid
  .. '","message":' .. number_text .. ',' .. body .. ',"at":' .. at_text .. '}'
local event = '["message",' .. message .. ']'

local added = redis.pcall('XADD', log, 'MAXLEN', '~', log_limit, offset_text .. '-0',
  'uid', uid, 'at', at_text, 'event', event)
if added.err then
  -- Nothing is stored, so nothing is remembered.
  redis.call('DEL', sent)
  if string.find(added.err, 'smaller') then
    redis.call('HDEL', meta, 'offset')
    return {-2}
  end
  return added
end
redis.call('HSET', meta, 'offset', offset_text, 'uid', uid,
  'lastMessage', number_text, 'at', at_text)
-- The age of the oldest event is remembered: looked at when it may be too old only.
local trim_at = tonumber(known[5])
if at - oldest_at <= log_age then
  if oldest_at == at then
    redis.call('HSET', meta, 'oldestAt', at_text)
  end
  if trim_at then
    redis.call('HDEL', meta, 'trimAt')
  end
elseif not trim_at then
  redis.call('HSET', meta, 'trimAt', digits(at + TOO_OLD_MS))
elseif at >= trim_at then
  local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', TRIM_AT_ONCE)
  local first_kept = oldest[#oldest]
  for _, entry in ipairs(oldest) do
    local age = at - tonumber(entry[2][4])
    if age >= 0 and age <= log_age then
      first_kept = entry
      break
    end
  end
  redis.call('XTRIM', log, 'MINID', first_kept[1])
  redis.call('HSET', meta, 'oldestAt', first_kept[2][4])
end

redis.call('HSET', messages, number_text, message)
-- One more than may be kept as a rule; many where the limit was lowered.
local kept = redis.call('HLEN', messages)
local beyond = math.min(kept - history_limit, TRIM_AT_ONCE)
if beyond > 0 then
  local first = number - kept + 1
  for forgotten = first, first + beyond - 1 do
    redis.call('HDEL', messages, digits(forgotten))
  end
end
redis.call('HSET', last_read, user, number_text)
redis.call(publish, channel, event)
return {0, number, offset, uid, at}
