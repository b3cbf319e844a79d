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
-- Returns {duplicate 0|1, message, offset, uid, at in Unix ms}, or {-1} for no member

local log, messages, meta = KEYS[1], KEYS[2], KEYS[3]
local last_read, members, sent = KEYS[4], KEYS[5], KEYS[6]
local channel, publish, user, uid, body = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local remember_seconds, log_limit = ARGV[6], ARGV[7]
local log_age, history_limit = tonumber(ARGV[8]), tonumber(ARGV[9])

-- Events whose age is looked at in one append: no append pays for a long backlog.
local TRIM_AT_ONCE = 100

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
local known = redis.call('HMGET', meta, 'offset', 'lastMessage', 'at', 'oldestAt')
local offset = tonumber(known[1] or '0') + 1
local number = tonumber(known[2] or '0') + 1
local time = redis.call('TIME')
-- A clock set back must not make a later message look older.
local at = math.max(time[1] * 1000 + math.floor(time[2] / 1000),
  tonumber(known[3] or '0'))
local oldest_at = tonumber(known[4] or at)
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
  -- A log that does not fit its meta hash: nothing is stored, so nothing is remembered.
  redis.call('DEL', sent)
  return added
end
redis.call('HSET', meta, 'offset', offset_text, 'uid', uid,
  'lastMessage', number_text, 'at', at_text)
-- The age of the oldest event is remembered: looked at when it may be too old only.
if at - oldest_at > log_age then
  local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', TRIM_AT_ONCE)
  local first_kept = oldest[#oldest]
  for _, entry in ipairs(oldest) do
    if at - tonumber(entry[2][4]) <= log_age then
      first_kept = entry
      break
    end
  end
  redis.call('XTRIM', log, 'MINID', first_kept[1])
  redis.call('HSET', meta, 'oldestAt', first_kept[2][4])
elseif oldest_at == at then
  redis.call('HSET', meta, 'oldestAt', at_text)
end

redis.call('HSET', messages, number_text, message)
if number > history_limit then
  redis.call('HDEL', messages, digits(number - history_limit))
end
redis.call('HSET', last_read, user, number_text)
redis.call(publish, channel, event)
return {0, number, offset, uid, at}
