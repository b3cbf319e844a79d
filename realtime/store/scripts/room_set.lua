-- Change a room's settings; all of them are published as they are then.
-- KEYS[1] members - hash
-- KEYS[2] meta - hash
-- KEYS[3] log - stream
-- KEYS[4] messages - hash
-- KEYS[5] audit - stream: what was done, by whom
-- ARGV[1] actor - id of who does it
-- ARGV[2] settings - JSON object of the fields that change, as strings
-- ARGV[3] needs_owner - 1: one of them is an owner's to change
-- ARGV[4] uid - of the event, unique
-- ARGV[5] body - the event's own JSON members, without braces
-- ARGV[6] log_limit - events the log keeps at most
-- ARGV[7] log_age_ms - milliseconds the log keeps an event at most
-- ARGV[8] channel - of the room
-- ARGV[9] publish_command - PUBLISH or SPUBLISH
-- USES numbers, log, judge, roles, audit
-- Returns {1}, or {-1, reason, number}: not_member: who asks is none; role: theirs does not
-- allow it; no_room; lost: the meta hash is to be mended first

local members, meta, log, messages = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local uid = ARGV[4]
local audit, channel, publish = KEYS[5], ARGV[8], ARGV[9]

if was_done(audit, uid) then
  return {1}
end
local actor = actor_of(members, ARGV[1])
if not actor then
  return {-1, 'not_member', 0}
end
if rank_of(actor) < (ARGV[3] == '1' and 3 or 2) then
  return {-1, 'role', 0}
end
local event = next_event(log, messages, meta, 'lastMessage', 'kind', 'name', 'topic', 'data',
  'history', 'writers', 'slow', 'invite')
if not event then
  return {-1, 'lost', 0}
end
if not is_there(members, meta) then
  return {-1, 'no_room', 0}
end
if event.known[OWN + 1] == 'direct' then
  return {-1, 'role', 0}
end
local changed = cjson.decode(ARGV[2])
local function now(name, place)
  return changed[name] or event.known[OWN + place]
end
local function text(value)
  return value and value ~= '' and cjson.encode(value) or 'null'
end
local body = ARGV[5] .. ',"kind":"' .. (now('kind', 1) or 'public') .. '","name":' .. text(now('name', 2))
  .. ',"topic":' .. text(now('topic', 3)) .. ',"data":' .. (now('data', 4) or 'null')
  .. ',"history":"' .. (now('history', 5) or 'all') .. '","writers":"'
  .. (now('writers', 6) or 'members') .. '","slow":' .. (now('slow', 7) or '0')
  .. ',"invite":"' .. (now('invite', 8) or 'moderators') .. '"'
local bytes = room_event('room_changed', event, uid, body, event.known[OWN])
local failed = log_event(log, meta, event, uid, bytes, {ARGV[6], tonumber(ARGV[7])},
  'rv', event.offset_text)
if failed then
  return failed
end
for name, value in pairs(changed) do
  redis.call('HSET', meta, name, value)
end
note_act(audit, bytes)
redis.call(publish, channel, bytes)
return {1}
