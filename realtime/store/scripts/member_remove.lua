-- Put a user out of a room, ban them, or both; all nodes are told.
-- KEYS[1] members - hash
-- KEYS[2] last_read - sorted set
-- KEYS[3] quits - sorted set
-- KEYS[4] meta - hash
-- KEYS[5] log - stream
-- KEYS[6] messages - hash
-- KEYS[7] staff - sorted set: owners and moderators, by since when
-- KEYS[8] bans - sorted set: who may not come, by until when
-- KEYS[9] audit - stream: what was done, by whom
-- KEYS[10] mentions - sorted set
-- KEYS[11] member_ids - sorted set
-- KEYS[12..] ending - all that ends with the room
-- ARGV[1] actor - id of who does it
-- ARGV[2] user - id of who goes
-- ARGV[3] ban_ms - milliseconds for which they may not come back, 0 for no ban
-- ARGV[4] uid - of the event, unique
-- ARGV[5] body - the event's own JSON members, without braces
-- ARGV[6] log_limit - events the log keeps at most
-- ARGV[7] log_age_ms - milliseconds the log keeps an event at most
-- ARGV[8] keep_seconds - how long the note for the nodes is kept
-- ARGV[9] empty_seconds - how long a room without members is kept
-- ARGV[10] bans_limit - bans that a room keeps at most
-- ARGV[11] channel - of the room
-- ARGV[12] publish_command - PUBLISH or SPUBLISH
-- ARGV[13] control - message that tells the nodes of it
-- USES numbers, log, marks, judge, roles, mentions, lifetime, leaving, audit
-- Returns {was a member 0|1}, or {-1, reason, number}: not_member: who asks is none; role:
-- theirs is not above the other's; no_such_member; no_room; too_many_bans; lost: the meta
-- hash is to be mended first

local members, last_read, quits, meta = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local log, messages, staff, bans = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local audit, mentions, member_ids = KEYS[9], KEYS[10], KEYS[11]
local user, ban_ms, uid = ARGV[2], tonumber(ARGV[3]), ARGV[4]
local channel, publish = ARGV[11], ARGV[12]

if was_done(audit, uid) then
  return {redis.call('ZSCORE', quits, user) and 1 or 0}
end
local actor = actor_of(members, ARGV[1])
if not actor then
  return {-1, 'not_member', 0}
end
local target = redis.call('HGET', members, user)
if rank_of(actor) < 2 or rank_of(actor) <= rank_of(target) then
  return {-1, 'role', 0}
end
if not target and ban_ms == 0 then
  return {-1, 'no_such_member', 0}
end
local event = next_event(log, messages, meta, 'lastMessage')
if not event then
  return {-1, 'lost', 0}
end
if not is_there(members, meta) then
  return {-1, 'no_room', 0}
end
if ban_ms > 0 then
  redis.call('ZREMRANGEBYSCORE', bans, '-inf', digits(event.at))
  if redis.call('ZCARD', bans) >= tonumber(ARGV[10]) and not redis.call('ZSCORE', bans, user) then
    return {-1, 'too_many_bans', 0}
  end
  redis.call('ZADD', bans, digits(event.at + ban_ms), user)
end
local bytes = room_event('member_left', event, uid, ARGV[5], event.known[OWN])
local failed = log_event(log, meta, event, uid, bytes, {ARGV[6], tonumber(ARGV[7])})
if failed then
  return failed
end
note_act(audit, bytes)
redis.call(publish, channel, bytes)
if not end_membership(members, member_ids, last_read, quits, staff, mentions, meta, user,
    tonumber(ARGV[8]), tonumber(ARGV[9]), {unpack(KEYS, 12)}) then
  return {0}
end
redis.call(publish, channel, ARGV[13])
return {1}
