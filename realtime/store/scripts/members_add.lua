-- Make a user a member of a room, by somebody who may.
-- KEYS[1] members - hash
-- KEYS[2] last_read - sorted set
-- KEYS[3] meta - hash
-- KEYS[4] quits - sorted set
-- KEYS[5] log - stream
-- KEYS[6] messages - hash
-- KEYS[7] staff - sorted set: owners and moderators, by since when
-- KEYS[8] bans - sorted set: who may not come, by until when
-- KEYS[9] audit - stream: what was done, by whom
-- KEYS[10] member_ids - sorted set
-- ARGV[1] actor - id of who does it
-- ARGV[2] user - id of who becomes a member
-- ARGV[3] role - theirs
-- ARGV[4] uid - of the event, unique
-- ARGV[5] body - the event's own JSON members, without braces
-- ARGV[6] log_limit - events the log keeps at most
-- ARGV[7] log_age_ms - milliseconds the log keeps an event at most
-- ARGV[8] channel - of the room
-- ARGV[9] publish_command - PUBLISH or SPUBLISH
-- USES numbers, log, marks, judge, roles, audit
-- Returns {new 0|1}, or {-1, reason, number}: not_member: who asks is none; role: theirs does
-- not allow it; no_room; banned until, in Unix ms; lost: the meta hash is to be mended first

local members, last_read, meta, quits = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local log, messages, staff, bans = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local user, role, uid = ARGV[2], ARGV[3], ARGV[4]
local audit, member_ids, channel, publish = KEYS[9], KEYS[10], ARGV[8], ARGV[9]

if was_done(audit, uid) then
  return {1}
end
local actor = actor_of(members, ARGV[1])
if not actor then
  return {-1, 'not_member', 0}
end
local event = next_event(log, messages, meta, 'lastMessage', 'invite', 'history', 'kind')
if not event then
  return {-1, 'lost', 0}
end
local top, invite, history, kind =
  event.known[OWN] or '0', event.known[OWN + 1], event.known[OWN + 2], event.known[OWN + 3]
local rank = rank_of(actor)
-- A direct room has its two for ever.
if kind == 'direct' or (rank < 2 and invite ~= 'members') or (role ~= 'member' and rank < 3) then
  return {-1, 'role', 0}
end
if not is_there(members, meta) then
  return {-1, 'no_room', 0}
end
if redis.call('HEXISTS', members, user) == 1 then
  return {0}
end
local banned_until = tonumber(redis.call('ZSCORE', bans, user) or '0')
if banned_until > event.at then
  return {-1, 'banned', banned_until}
end
local bytes = room_event('member_joined', event, uid, ARGV[5], top)
local failed = log_event(log, meta, event, uid, bytes, {ARGV[6], tonumber(ARGV[7])})
if failed then
  return failed
end
sort_marks(last_read)
local since = history == 'joined' and tonumber(top) + 1 or 1
if since > 1 then
  redis.call('HSET', meta, 'newcomersSince', digits(since))
end
local record = new_record(role, event.at, tonumber(top), since)
add_member(members, member_ids, user, record)
set_role(members, staff, user, record, role, event.at)
redis.call('ZADD', last_read, top, user)
redis.call('ZREM', quits, user)
note_act(audit, bytes)
redis.call(publish, channel, bytes)
return {1}
