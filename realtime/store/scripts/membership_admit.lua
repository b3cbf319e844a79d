-- Make a user a member, if not one yet and they may be; what came before counts as read.
-- The first member of a room that no key made owns it; a room that was about to end goes on.
-- KEYS[1] members - hash
-- KEYS[2] last_read - sorted set
-- KEYS[3] meta - hash
-- KEYS[4] quits - sorted set
-- KEYS[5] staff - sorted set: owners and moderators, by since when
-- KEYS[6] bans - sorted set: who may not come, by until when
-- KEYS[7] deleted - sorted set: numbers of deleted messages
-- KEYS[8] pins - sorted set: numbers of pinned messages
-- KEYS[9] invites - hash
-- KEYS[10] mentions - sorted set
-- KEYS[11] mentions_all - sorted set
-- KEYS[12] member_ids - sorted set
-- KEYS[13..] kept_aside - what else is kept of the room
-- ARGV[1] user - id
-- ARGV[2] opens - 1: a room that is not there is made
-- ARGV[3] returning - 1: they come back, and stay out if they quit meanwhile
-- ARGV[4] keep_seconds - how long the notes of quits are kept
-- ARGV[5] invite - token that lets them into a private room, empty: none
-- USES numbers, marks, judge, roles, lifetime, invites, mentions
-- Returns {new 0|1, lastMessage, lastReadMessage, record, unread, the log's top offset as of
-- these, {pinned message that they may see, ...}, {kind, history, name, topic, data, writers,
-- slow, invite, rv}, mentions that are unread, offset of the last deletion or a lower one}, or
-- {-1, reason, number}: quit: they come back and had quit; banned until, in Unix ms;
-- not_member: the room is private, or it is not there

local members, last_read, meta, quits = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local staff, bans, deleted, pins = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local invites, mentions, mentions_all, member_ids = KEYS[9], KEYS[10], KEYS[11], KEYS[12]
local user = ARGV[1]

sort_marks(last_read)
local known = redis.call('HMGET', meta, 'lastMessage', 'offset', 'deletions', 'kind', 'history',
  'name', 'topic', 'data', 'writers', 'slow', 'invite', 'rv', 'createdBy')
local settings = {}
for place = 1, 9 do
  settings[place] = known[place + 3] or ''
end
local kind, history = settings[1], settings[2]
local top = known[1] or '0'
local record, new, read = redis.call('HGET', members, user), 0, nil
if record then
  read = tonumber(redis.call('ZSCORE', last_read, user) or '0')
else
  if ARGV[3] == '1' and redis.call('ZSCORE', quits, user) then
    return {-1, 'quit', 0}
  end
  local now = clock()
  local banned_until = tonumber(redis.call('ZSCORE', bans, user) or '0')
  if banned_until > now then
    return {-1, 'banned', banned_until}
  end
  if kind ~= '' and kind ~= 'public'
    and not (kind == 'private' and take_invite(invites, ARGV[5], now, members, settings[8])) then
    return {-1, 'not_member', 0}
  end
  local is_first = redis.call('EXISTS', members) == 0
  if is_first and not known[2] and ARGV[2] == '0' then
    return {-1, 'not_member', 0}
  end
  if is_first then
    keep_all({last_read, meta, bans, deleted, pins, mentions, mentions_all, unpack(KEYS, 13)})
    redis.call('EXPIRE', quits, ARGV[4])
  end
  local since = history == 'joined' and tonumber(top) + 1 or 1
  if since > 1 then
    redis.call('HSET', meta, 'newcomersSince', digits(since))
  end
  -- What a key has made is the key's.
  local owns = is_first and not (known[13] and is_key(known[13]))
  record = new_record(owns and 'owner' or 'member', now, tonumber(top), since)
  add_member(members, member_ids, user, record)
  if owns then
    redis.call('ZADD', staff, digits(now), user)
  end
  redis.call('ZADD', last_read, top, user)
  redis.call('ZREM', quits, user)
  new, read = 1, tonumber(top)
end
local since = since_of(record)
local pinned = {}
for _, number in ipairs(redis.call('ZRANGE', pins, 0, -1)) do
  if tonumber(number) >= since then
    pinned[#pinned + 1] = tonumber(number)
  end
end
top = tonumber(top)
return {new, top, read, record, unread_above(read, top, since, deleted, known[3]),
  tonumber(known[2] or '0'), pinned, settings,
  unread_mentions(mentions, mentions_all, user, math.max(read, since - 1)),
  tonumber(known[3] or '0')}
