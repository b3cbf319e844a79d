-- Pin a message or take its pin off, and publish that. Repeating it changes nothing.
-- KEYS[1] log - stream
-- KEYS[2] messages - hash
-- KEYS[3] meta - hash
-- KEYS[4] members - hash
-- KEYS[5] pins - sorted set: numbers of pinned messages by the offset of their pin
-- ARGV[1] channel - of the room
-- ARGV[2] publish_command - PUBLISH or SPUBLISH
-- ARGV[3] user - id
-- ARGV[4] uid - of the event, unique
-- ARGV[5] message - number
-- ARGV[6] user_json - the user's id, JSON
-- ARGV[7] on - 1: pinned, 0: not any more
-- ARGV[8] log_limit - events the log keeps at most
-- ARGV[9] log_age_ms - milliseconds the log keeps an event at most
-- ARGV[10] pins_limit - pinned messages at most
-- USES numbers, log, judge, states
-- Returns {duplicate 0|1, message, offset, uid, at in Unix ms}, with offset 0 of a
-- duplicate, or {-1, reason, number}: not_member; lost: the meta hash is to be mended
-- first; muted until, in Unix ms; not_found; role: the user is no moderator; pins: too
-- many

local log, messages, meta, members, pins = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local channel, publish, user, uid, message = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local on = ARGV[7] == '1'

local record = actor_of(members, user)
if not record then
  return {-1, 'not_member', 0}
end
local event = next_event(log, messages, meta, 'kind')
if not event then
  return {-1, 'lost', 0}
end
local reason, until_ms = may_not_write(record, nil, event.at)
if reason then
  return {-1, reason, until_ms}
end
local state = redis.call('HGET', messages, message)
if not state or not times_of(state) or tonumber(message) < since_of(record) then
  return {-1, 'not_found', 0}
end
if role_of(record) == 'member' and event.known[OWN] ~= 'direct' then
  return {-1, 'role', 0}
end
if (redis.call('ZSCORE', pins, message) and true or false) == on then
  return {1, tonumber(message), 0, '', 0}
end
if on and redis.call('ZCARD', pins) >= tonumber(ARGV[10]) then
  -- Those that the history has left make room.
  for _, each in ipairs(redis.call('ZRANGE', pins, 0, -1)) do
    if redis.call('HEXISTS', messages, each) == 0 then
      redis.call('ZREM', pins, each)
    end
  end
  if redis.call('ZCARD', pins) >= tonumber(ARGV[10]) then
    return {-1, 'pins', 0}
  end
end

local bytes = '["pin",{"offset":' .. event.offset_text .. ',"uid":"' .. uid
  .. '","message":' .. message .. ',' .. string.match(state, '("room":"[%w_-]+",)')
  .. '"on":' .. tostring(on) .. ',"by":' .. ARGV[6] .. ',"at":' .. event.at_text .. '}]'
local failed = log_event(log, meta, event, uid, bytes, {ARGV[8], tonumber(ARGV[9])})
if failed then
  return failed
end
if on then
  redis.call('ZADD', pins, event.offset_text, message)
else
  redis.call('ZREM', pins, message)
end
redis.call(publish, channel, bytes)
return {0, tonumber(message), event.offset, uid, event.at}
