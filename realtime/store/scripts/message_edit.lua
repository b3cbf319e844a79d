-- Give a message of the user's new words: judge, log, keep and publish in one step.
-- What is stored is only replaced if it is what the new state was made of.
-- KEYS[1] log - stream
-- KEYS[2] messages - hash
-- KEYS[3] meta - hash
-- KEYS[4] members - hash
-- KEYS[5] sent - string: what this user's clientId gave
-- KEYS[6] mentions - sorted set
-- ARGV[1] channel - of the room
-- ARGV[2] publish_command - PUBLISH or SPUBLISH
-- ARGV[3] user - id
-- ARGV[4] uid - of the event, unique
-- ARGV[5] message - number
-- ARGV[6] rev - of the state that was read: the offset of its last change, or 0
-- ARGV[7] state - the new state up to its time, no closing brace; empty: it is the same
-- ARGV[8] words - the event's own JSON members, "text" and "mentions", no braces
-- ARGV[9] remember_seconds - how long the clientId is remembered
-- ARGV[10] log_limit - events the log keeps at most
-- ARGV[11] log_age_ms - milliseconds the log keeps an event at most
-- ARGV[12] edit_ms - milliseconds after which only a key edits its message
-- ARGV[13] edits_limit - edits of one message at most
-- ARGV[14] fingerprint - of the request, hexadecimal, that a repeat must have; empty: none
-- USES numbers, log, judge, sent, states, mentions
-- Returns {duplicate 0|1, message, offset, uid, at in Unix ms}, the message's own of a
-- state that stays as it is, or {-1, reason, number}: not_member; lost: the meta hash is
-- to be mended first; reused: the clientId was another operation's or
-- request's; muted until, in Unix ms; frozen; not_found; author: of another user; too_late;
-- newcomers: there are members who may not see it; edits: too many; changed: to
-- another rev than was read

local log, messages, meta, members, sent = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local channel, publish, user, uid = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local message, new_state, mentions = ARGV[5], ARGV[7], KEYS[6]
local fingerprint = ARGV[14]

local function refused(reason, number)
  local before = redis.call('GET', sent)
  return before and remembered(before, uid, 'e', fingerprint) or {-1, reason, number or 0}
end

local record = actor_of(members, user)
if not record then
  return refused('not_member')
end
local event = next_event(log, messages, meta, 'writers', 'newcomersSince')
if not event then
  return {-1, 'lost', 0}
end
-- An edit is told to all members, and carries words that the last ones who came must not
-- see.
if tonumber(message) < tonumber(event.known[OWN + 1] or '0') then
  return refused('newcomers')
end
local reason, until_ms = may_not_write(record, event.known[OWN], event.at)
if reason then
  return refused(reason, until_ms)
end
local state = redis.call('HGET', messages, message)
local at, edits, rev
if state then
  at, edits, rev = times_of(state)
end
if not at or tonumber(message) < since_of(record) then
  return refused('not_found')
end
local _, room, author = head_of(state)
if cjson.decode('[' .. author .. ']')[1] ~= user then
  return refused('author')
end
if event.at - at > tonumber(ARGV[12]) and not is_key(user) then
  return refused('too_late')
end
if tonumber(edits) >= tonumber(ARGV[13]) then
  return refused('edits')
end
if rev ~= ARGV[6] then
  return refused('changed', tonumber(rev))
end

local result = event.offset_text .. ' ' .. uid .. ' ' .. event.at_text
if new_state == '' then
  result = string.match(state, '"offset":(%d+)') .. ' '
    .. string.match(state, '"uid":"([%w_-]+)"') .. ' ' .. at
end
result = 'e ' .. message .. ' ' .. result
local noted = with_fingerprint(result, fingerprint)
local first = redis.call('SET', sent, noted, 'EX', ARGV[9], 'NX', 'GET')
if first then
  return remembered(first, uid, 'e', fingerprint)
end
if new_state == '' then
  return remembered(result, nil, 'e', '')
end

local count = digits(edits + 1)
local bytes = '["message_edited",{"offset":' .. event.offset_text .. ',"uid":"' .. uid
  .. '","message":' .. message .. ',' .. room .. '"user":' .. author .. ',' .. ARGV[8]
  .. ',"editedAt":' .. event.at_text .. ',"edits":' .. count
  .. ',"at":' .. event.at_text .. '}]'
local failed = log_event(log, meta, event, uid, bytes, {ARGV[10], tonumber(ARGV[11])})
if failed then
  redis.call('DEL', sent)
  return failed
end
redis.call('HSET', messages, message, new_state .. ',"at":' .. at .. ',"editedAt":'
  .. event.at_text .. ',"edits":' .. count .. ',"rev":' .. event.offset_text .. '}')
-- Who has read the message already is above its number with their mark.
if not string.find(state, ',"mentionAll":true,', 1, true) then
  for _, each in ipairs(mentioned_in(state)) do
    redis.call('ZREM', mentions, mention_of(each, message))
  end
  note_mentions(mentions, members, mentioned_in('{' .. ARGV[8] .. '}'), message, 0)
end
redis.call(publish, channel, bytes)
return remembered(result, uid, 'e', '')
