-- Store one message and publish it: dedupe, judge, number, log, keep and publish in one step.
-- KEYS[1] log - stream
-- KEYS[2] messages - hash
-- KEYS[3] meta - hash
-- KEYS[4] last_read - sorted set
-- KEYS[5] members - hash
-- KEYS[6] slow - sorted set: who wrote lately, by when they may write again
-- KEYS[7] sent - string: what this user's clientId gave
-- KEYS[8] deleted - sorted set: numbers of deleted messages
-- KEYS[9] mentions - sorted set
-- KEYS[10] mentions_all - sorted set: numbers of messages that mention everybody
-- KEYS[11] media - sorted set: numbers of messages with images
-- ARGV[1] channel - of the room
-- ARGV[2] publish_command - PUBLISH or SPUBLISH
-- ARGV[3] user - id
-- ARGV[4] uid - of the event, unique
-- ARGV[5] body - the message's own JSON members, "room" to "clientId", no braces
-- ARGV[6] remember_seconds - how long the clientId is remembered
-- ARGV[7] log_limit - events the log keeps at most
-- ARGV[8] log_age_ms - milliseconds the log keeps an event at most
-- ARGV[9] history_limit - messages the history keeps at most
-- ARGV[10] fingerprint - of the request, hexadecimal, that a repeat must have; empty: none
-- ARGV[11] reply_to - number of the message that this one answers, 0: it does not
-- ARGV[12] mentioned - user ids, a line each
-- ARGV[13] mention_all - 1: everybody is mentioned
-- ARGV[14] has_images - 1: it shows some
-- The keys from the 8th on and the arguments from the 11th on are left out of a text that
-- neither answers nor mentions: most do not.
-- USES numbers, log, marks, judge, sent
-- Returns {duplicate 0|1, message, offset, uid, at in Unix ms}, or {-1, reason, number}:
-- not_member; lost: the meta hash is to be mended first; reused: the clientId was another
-- operation's or request's; no_room; muted until, in Unix ms; frozen; absent: the other one of a
-- direct room is to be brought back first; slow, with milliseconds to wait;
-- reply_to: there is no such message; mention_all: they may not, with members up to which
-- they may

local log, messages, meta = KEYS[1], KEYS[2], KEYS[3]
local last_read, members, slow, sent = KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local channel, publish, user, uid, body = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local deleted, mentions, mentions_all, media = KEYS[8], KEYS[9], KEYS[10], KEYS[11]
local remember_seconds = ARGV[6]
local history_limit, fingerprint = tonumber(ARGV[9]), ARGV[10]

-- A stored clientId wins over every rule: what was stored stays so, whoever quit, was
-- muted or is slowed down since.
local function refused(reason, number)
  local before = redis.call('GET', sent)
  return before and remembered(before, uid, '', fingerprint) or {-1, reason, number or 0}
end

local record = redis.call('HGET', members, user)
local is_system = not record and is_key(user)
if not record and not is_system then
  return refused('not_member')
end
local event = next_event(log, messages, meta, 'lastMessage', 'writers', 'slow')
if not event then
  return {-1, 'lost', 0}
end
local known, now = event.known, event.at
if is_system then
  if not is_there(members, meta) then
    return refused('no_room')
  end
  record = SYSTEM
end
local writers, pause = known[OWN + 1], known[OWN + 2]
-- Hardly any room has rules, or a member who is muted: nothing more is looked at then.
if writers or string.find(record, 'muted', 1, true) then
  local reason, until_ms = may_not_write(record, writers, now)
  if reason then
    return refused(reason, until_ms)
  end
  if writers == 'absent' then
    return refused('absent')
  end
end
local paced = pause and pause ~= '0' and role_of(record) == 'member'
if paced then
  pause = tonumber(pause) * 1000
  local wait = tonumber(redis.call('ZSCORE', slow, user) or '0') - now
  if wait > 0 then
    return refused('slow', math.min(wait, pause))
  end
end

if mentions then
  -- Members of a room in which any member may mention everybody.
  local EVERYBODY_MEMBERS = 50
  local reply_to = tonumber(ARGV[11])
  if reply_to > 0 and (reply_to > tonumber(known[OWN] or '0')
      or reply_to < since_of(record) or redis.call('ZSCORE', deleted, ARGV[11])) then
    return refused('reply_to')
  end
  if ARGV[13] == '1' and role_of(record) == 'member'
      and redis.call('HLEN', members) > EVERYBODY_MEMBERS then
    return refused('mention_all', EVERYBODY_MEMBERS)
  end
end

local number = tonumber(known[OWN] or '0') + 1
local number_text = digits(number)
local result = number_text .. ' ' .. event.offset_text .. ' ' .. uid .. ' ' .. event.at_text
local noted = with_fingerprint(result, fingerprint)
local first = redis.call('SET', sent, noted, 'EX', remember_seconds, 'NX', 'GET')
if first then
  return remembered(first, uid, '', fingerprint)
end

-- The bytes that realtime/store/events.py describes; the two change together.
local message = '{"offset":' .. event.offset_text .. ',"uid":"' .. uid
  .. '","message":' .. number_text .. ',' .. body .. ',"at":' .. event.at_text .. '}'
local bytes = '["message",' .. message .. ']'

local failed = log_event(log, meta, event, uid, bytes, {ARGV[7], tonumber(ARGV[8])},
  'lastMessage', number_text, 'messageAt', event.at_text)
if failed then
  -- Nothing is stored, so nothing is remembered.
  redis.call('DEL', sent)
  return failed
end
if paced then
  redis.call('ZREMRANGEBYSCORE', slow, '-inf', now)
  redis.call('ZADD', slow, digits(now + pause), user)
  redis.call('PEXPIRE', slow, pause)
end

redis.call('HSET', messages, number_text, message)
-- One more than may be kept as a rule; many where the limit was lowered.
local kept = redis.call('HLEN', messages)
local beyond = math.min(kept - history_limit, TRIM_AT_ONCE)
if beyond > 0 then
  local lowest = number - kept + 1
  for forgotten = lowest, lowest + beyond - 1 do
    redis.call('HDEL', messages, digits(forgotten))
  end
end
if not is_system then
  raise_mark(last_read, user, number_text)
end
if mentions then
  local oldest = number - history_limit + 1
  if ARGV[14] == '1' then
    redis.call('ZADD', media, number_text, number_text)
    -- Those that left with texts since.
    local lowest = number - kept + math.max(beyond, 0) + 1
    redis.call('ZREMRANGEBYSCORE', media, '-inf', '(' .. digits(lowest))
  end
  if ARGV[13] == '1' then
    redis.call('ZADD', mentions_all, number, number_text)
    redis.call('ZREMRANGEBYSCORE', mentions_all, '-inf', '(' .. digits(oldest))
  elseif ARGV[12] ~= '' then
    -- WITH mentions
    local users = {}
    for each in string.gmatch(ARGV[12], '[^\n]+') do
      users[#users + 1] = each
    end
    note_mentions(mentions, members, users, number, oldest)
  end
end
redis.call(publish, channel, bytes)
return {0, number, event.offset, uid, event.at}
