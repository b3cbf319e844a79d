-- Delete a message and publish that.
-- What is left says who deleted it. Repeating it changes nothing. Where the application erases
-- the author, nothing is left of them, in what was deleted before neither.
-- KEYS[1] log - stream
-- KEYS[2] messages - hash
-- KEYS[3] meta - hash
-- KEYS[4] members - hash
-- KEYS[5] deleted - sorted set: numbers of deleted messages
-- KEYS[6] reactions - hash
-- KEYS[7] reactors - sorted set
-- KEYS[8] pins - sorted set
-- KEYS[9] mentions - sorted set
-- KEYS[10] mentions_all - sorted set
-- KEYS[11] audit - stream: what was done, by whom
-- KEYS[12] media - sorted set: numbers of messages with images
-- ARGV[1] channel - of the room
-- ARGV[2] publish_command - PUBLISH or SPUBLISH
-- ARGV[3] user - id
-- ARGV[4] uid - of the event, unique
-- ARGV[5] message - number
-- ARGV[6] by - the event's own JSON members, "by" and "reason", no braces
-- ARGV[7] log_limit - events the log keeps at most
-- ARGV[8] log_age_ms - milliseconds the log keeps an event at most
-- ARGV[9] deleted_limit - deleted messages that are remembered, the newest
-- ARGV[10] by_member - as by, without a reason
-- USES numbers, log, judge, states, mentions, audit
-- Returns {duplicate 0|1, message, offset, uid, at in Unix ms}, with offset 0 of a
-- duplicate, or {-1, reason, number}: not_member; lost: the meta hash is to be mended
-- first; not_found; role: of another user, and the user is no moderator

local log, messages, meta, members = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local deleted, reactions, reactors, pins = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local audit, media = KEYS[11], KEYS[12]
local channel, publish, user, uid, message = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

-- Who deletes for the application, and stands where the author stood.
local ERASED = '$erased'

-- Reactors that go with their message at once; the others go with the history.
local REACTORS_AT_ONCE = 1000

local record = actor_of(members, user)
if not record then
  return {-1, 'not_member', 0}
end
local event = next_event(log, messages, meta)
if not event then
  return {-1, 'lost', 0}
end
local state = redis.call('HGET', messages, message)
if not state or tonumber(message) < since_of(record) then
  return {-1, 'not_found', 0}
end
local head, room, author = head_of(state)
local is_own = cjson.decode('[' .. author .. ']')[1] == user
if role_of(record) == 'member' and not is_own then
  return {-1, 'role', 0}
end
local erases, left = user == ERASED, head
if erases then
  left = string.sub(head, 1, -#author - 1) .. '"' .. ERASED .. '"'
end
local at = times_of(state)
if not at then
  if erases then
    local tail, own = string.sub(state, #head + 1), '"deleted":{"by":' .. author
    local from, to = string.find(tail, own, 1, true)
    if from then
      tail = string.sub(tail, 1, from - 1) .. '"deleted":{"by":"' .. ERASED .. '"'
        .. string.sub(tail, to + 1)
    end
    redis.call('HSET', messages, message, left .. tail)
  end
  return {1, tonumber(message), 0, '', 0}
end

-- Members have no reason to give: it would be a way to say what they may not send.
local by = (role_of(record) == 'member' and ARGV[10] or ARGV[6]) .. ',"at":' .. event.at_text
local before = '["message_deleted",{"offset":' .. event.offset_text .. ',"uid":"' .. uid
  .. '","message":' .. message .. ',' .. room
local bytes = before .. by .. '}]'
local failed = log_event(log, meta, event, uid, bytes, {ARGV[7], tonumber(ARGV[8])},
  'deletions', event.offset_text)
if failed then
  return failed
end
if not is_own and not erases then
  -- Whose it was is known from the log as long as that lasts; the audit outlives it.
  note_act(audit, before .. '"user":' .. author .. ',' .. by .. '}]')
end
redis.call('HSET', messages, message, left .. ',"at":' .. at
  .. ',"type":"deleted","deleted":{' .. by .. '},"rev":' .. event.offset_text .. '}')
redis.call('ZADD', deleted, message, message)
-- With as many as log and history hold together, the lowest is in neither of them: so
-- many higher ones came and were deleted after it.
local beyond = redis.call('ZCARD', deleted) - tonumber(ARGV[9])
if beyond > 0 then
  redis.call('ZREMRANGEBYRANK', deleted, 0, math.min(beyond, TRIM_AT_ONCE) - 1)
end
redis.call('ZREM', pins, message)
redis.call('ZREM', media, message)
drop_mentions(KEYS[9], KEYS[10], state, message)
if redis.call('HDEL', reactions, message) == 1 then
  local prefix = string.format('%016.0f:', tonumber(message))
  local gone = redis.call('ZRANGEBYLEX', reactors, '[' .. prefix,
    '(' .. string.sub(prefix, 1, -2) .. ';', 'LIMIT', 0, REACTORS_AT_ONCE)
  if #gone > 0 then
    redis.call('ZREM', reactors, unpack(gone))
  end
end
redis.call(publish, channel, bytes)
return {0, tonumber(message), event.offset, uid, event.at}
