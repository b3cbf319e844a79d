-- Store one message and publish it: dedupe, number, log, keep and publish in one step.
-- KEYS[1] - log stream
-- KEYS[2] - messages hash
-- KEYS[3] - meta hash
-- KEYS[4] - lastRead hash
-- KEYS[5] - members hash
-- KEYS[6] - sent key of this user and clientId
-- ARGV[1] - channel
-- ARGV[2] - publish command, PUBLISH or SPUBLISH
-- ARGV[3] - user id
-- ARGV[4] - uid of the event, unique
-- ARGV[5] - the message's own JSON members, from "room" to "clientId", without braces
-- ARGV[6] - seconds the clientId is remembered
-- ARGV[7] - events the log keeps at most
-- ARGV[8] - milliseconds the log keeps an event at most
-- ARGV[9] - messages the history keeps at most
-- Returns {duplicate 0|1, message, offset, uid, at in Unix ms, the room's own
-- durability or an empty string}, or {-1} for no member

local log, messages, meta = KEYS[1], KEYS[2], KEYS[3]
local last_read, members, sent = KEYS[4], KEYS[5], KEYS[6]
local channel, publish, user, uid, body = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local sent_ttl, log_limit = ARGV[6], ARGV[7]
local log_age, history_limit = tonumber(ARGV[8]), tonumber(ARGV[9])

-- Lua writes large numbers as 1e+14; JSON readers and our own want digits.
local function digits(number)
  return string.format('%.0f', number)
end

local durability = redis.call('HGET', meta, 'durability') or ''
local first = redis.call('GET', sent)
if first then
  local result = cjson.decode(first)
  -- The same uid: the node asks again because a cut swallowed the first answer.
  local duplicate = result[3] == uid and 0 or 1
  return {duplicate, result[1], result[2], result[3], result[4], durability}
end
if redis.call('HEXISTS', members, user) == 0 then
  return {-1}
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- A clock set back must not make a later message look older.
local at = math.max(now, tonumber(redis.call('HGET', meta, 'at') or '0'))
local offset = redis.call('HINCRBY', meta, 'offset', 1)
local number = redis.call('HINCRBY', meta, 'lastMessage', 1)
redis.call('HSET', meta, 'uid', uid, 'at', digits(at))

local message = '{"offset":' .. digits(offset) .. ',"uid":"' .. uid
  .. '","message":' .. digits(number) .. ',' .. body .. ',"at":' .. digits(at) .. '}'
local event = '["message",' .. message .. ']'

redis.call('XADD', log, 'MAXLEN', '~', log_limit, digits(offset) .. '-0',
  'uid', uid, 'at', digits(at), 'event', event)
-- Two at most each time: enough to keep up, and no append pays for a long backlog.
local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 2)
for _, entry in ipairs(oldest) do
  if tonumber(entry[2][4]) < at - log_age then
    redis.call('XDEL', log, entry[1])
  end
end

redis.call('HSET', messages, digits(number), message)
if number > history_limit then
  redis.call('HDEL', messages, digits(number - history_limit))
end
redis.call('HSET', last_read, user, digits(number))
redis.call('SET', sent, cjson.encode({number, offset, uid, at}), 'EX', sent_ttl)
redis.call(publish, channel, event)
return {0, number, offset, uid, at, durability}
