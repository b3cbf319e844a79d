-- Make a room with its owner, or find it made before by the same one.
-- One that a key makes has no owner, and ends when it is deleted.
-- KEYS[1] members - hash
-- KEYS[2] last_read - sorted set
-- KEYS[3] meta - hash
-- KEYS[4] log - stream
-- KEYS[5] messages - hash
-- KEYS[6] staff - sorted set: owners and moderators, by since when
-- KEYS[7] quits - sorted set
-- KEYS[8] audit - stream: what was done, by whom
-- KEYS[9] blocks - set: which of a direct room's two block the other
-- KEYS[10] member_ids - sorted set
-- KEYS[11..] kept - all that goes on with a room of two
-- ARGV[1] actor - id of who makes it
-- ARGV[2] kind - public, private or direct
-- ARGV[3] settings - JSON object of the room's own fields, as strings
-- ARGV[4] others - JSON array: the two of a direct room, but for the actor
-- ARGV[5] uid - of the event, unique
-- ARGV[6] body - the event's own JSON members, without braces
-- ARGV[7] log_limit - events the log keeps at most
-- ARGV[8] log_age_ms - milliseconds the log keeps an event at most
-- ARGV[9] channel - of the room
-- ARGV[10] publish_command - PUBLISH or SPUBLISH
-- ARGV[11] quit_keep_seconds - how long the notes of quits are kept
-- ARGV[12] made_as - clientId and, after a space, the request's fingerprint; empty: none
-- USES numbers, log, marks, judge, roles, lifetime, audit
-- Returns {made 0|1}, or {-1, reason, 0}: exists: there is one of this id that another
-- one made; blocked: the other one of a direct room does not want it; reused: it was made
-- by another request of this clientId

local members, last_read, meta, log = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local messages, staff, quits = KEYS[5], KEYS[6], KEYS[7]
local actor, kind, others, uid = ARGV[1], ARGV[2], cjson.decode(ARGV[4]), ARGV[5]
local audit, channel, publish = KEYS[8], ARGV[9], ARGV[10]
local blocks, member_ids = KEYS[9], KEYS[10]

-- Make them members who are none, who quit the room of two as well: it is theirs for ever.
local function admit_all(role, now, top)
  for _, user in ipairs({actor, unpack(others)}) do
    if not is_key(user) and redis.call('HEXISTS', members, user) == 0 then
      local record = new_record(role, now, top, 1)
      add_member(members, member_ids, user, record)
      set_role(members, staff, user, record, role, now)
      redis.call('ZADD', last_read, digits(top), user)
      redis.call('ZREM', quits, user)
    end
  end
end

-- Who blocks the other one is brought back by nobody but themselves.
for _, user in ipairs(others) do
  if user ~= actor and redis.call('SISMEMBER', blocks, user) == 1 then
    return {-1, 'blocked', 0}
  end
end
local made_as = ARGV[12]
local known = redis.call('HMGET', meta, 'createdBy', 'kind', 'lastMessage', 'writers', 'madeAs')
if known[1] or known[2] or redis.call('EXISTS', members, log, messages) > 0 then
  if kind == 'direct' and known[2] == kind then
    keep_all({unpack(KEYS, 11)})
    sort_marks(last_read)
    admit_all('member', clock(), tonumber(known[3] or '0'))
    redis.call('HDEL', meta, 'absent')
    if known[4] == 'absent' then
      redis.call('HDEL', meta, 'writers')
    end
    return {0}
  end
  local before = known[5]
  if known[1] == actor and before and made_as ~= '' and before ~= made_as
    and string.match(before, '^%S+') == string.match(made_as, '^%S+') then
    return {-1, 'reused', 0}
  end
  if known[1] == actor and known[2] == kind then
    return {0}
  end
  return {-1, 'exists', 0}
end
redis.call('DEL', meta)
local event = next_event(log, messages, meta)
local bytes = room_event('room_created', event, uid, ARGV[6], '0')
local failed = log_event(log, meta, event, uid, bytes, {ARGV[7], tonumber(ARGV[8])})
if failed then
  return failed
end
redis.call('HSET', meta, 'kind', kind, 'createdBy', actor, 'createdAt', event.at_text,
  'rv', event.offset_text)
if made_as ~= '' then
  redis.call('HSET', meta, 'madeAs', made_as)
end
for name, value in pairs(cjson.decode(ARGV[3])) do
  redis.call('HSET', meta, name, value)
end
if redis.call('EXISTS', blocks) == 1 then
  redis.call('HSET', meta, 'writers', 'blocked')
end
admit_all(kind == 'direct' and 'member' or 'owner', event.at, 0)
redis.call('EXPIRE', quits, ARGV[11])
note_act(audit, bytes)
redis.call(publish, channel, bytes)
return {1}
