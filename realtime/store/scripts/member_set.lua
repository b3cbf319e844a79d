-- Give a member another role, or keep them from writing for a while.
-- KEYS[1] members - hash
-- KEYS[2] meta - hash
-- KEYS[3] log - stream
-- KEYS[4] messages - hash
-- KEYS[5] staff - sorted set: owners and moderators, by since when
-- KEYS[6] audit - stream: what was done, by whom
-- ARGV[1] actor - id of who does it
-- ARGV[2] user - id of whose record it is
-- ARGV[3] role - the new one, empty: as it is
-- ARGV[4] mute_ms - milliseconds for which they may not write, 0: they may, -1: as it is
-- ARGV[5] uid - of the event, unique
-- ARGV[6] body - the event's own JSON members, without braces
-- ARGV[7] log_limit - events the log keeps at most
-- ARGV[8] log_age_ms - milliseconds the log keeps an event at most
-- ARGV[9] channel - of the room
-- ARGV[10] publish_command - PUBLISH or SPUBLISH
-- USES numbers, log, judge, roles, audit
-- Returns {role, muted until in Unix ms, 0: not}, or {-1, reason, number}: not_member: who
-- asks is none; role: theirs does not allow it; no_such_member; lost: the meta hash is to
-- be mended first

local members, meta, log, messages, staff = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local user, role, mute_ms, uid = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local audit, channel, publish = KEYS[6], ARGV[9], ARGV[10]

local actor = actor_of(members, ARGV[1])
if not actor then
  return {-1, 'not_member', 0}
end
local record = redis.call('HGET', members, user)
if rank_of(actor) < 2 then
  return {-1, 'role', 0}
end
if not record then
  return {-1, 'no_such_member', 0}
end
-- Roles are an owner's to give, up to their own: who makes another one owner stays one.
local lacks_rank = rank_of(actor) <= rank_of(record) and ARGV[1] ~= user
if lacks_rank or (role ~= '' and (rank_of(actor) < 3 or RANKS[role] > rank_of(actor))) then
  return {-1, 'role', 0}
end
local event = next_event(log, messages, meta, 'lastMessage')
if not event then
  return {-1, 'lost', 0}
end
local known_role, muted_until = role_of(record)
if was_done(audit, uid) then
  return {known_role, muted_until}
end
if mute_ms >= 0 then
  muted_until = mute_ms > 0 and event.at + mute_ms or 0
  record = string.gsub(record, ',"mutedUntil":%d+', '', 1)
  if muted_until > 0 then
    record = string.sub(record, 1, -2) .. ',"mutedUntil":' .. digits(muted_until) .. '}'
  end
end
role = role ~= '' and role or (role_of(record))
local body = ARGV[6] .. ',"role":"' .. role .. '","mutedUntil":'
  .. (muted_until > 0 and digits(muted_until) or 'null')
local bytes = room_event('member_changed', event, uid, body, event.known[OWN])
local failed = log_event(log, meta, event, uid, bytes, {ARGV[7], tonumber(ARGV[8])})
if failed then
  return failed
end
set_role(members, staff, user, record, role, event.at)
note_act(audit, bytes)
redis.call(publish, channel, bytes)
return {role, muted_until}
