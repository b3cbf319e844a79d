-- Raise lastReadMessage of a user and announce it; it never falls.
-- KEYS[1] last_read - sorted set
-- KEYS[2] meta - hash
-- KEYS[3] members - hash
-- KEYS[4] deleted - sorted set: numbers of deleted messages
-- KEYS[5] mentions - sorted set
-- ARGV[1] channel - of the room
-- ARGV[2] publish_command - PUBLISH or SPUBLISH
-- ARGV[3] user - id
-- ARGV[4] message - message number read up to
-- ARGV[5] announce_members - members up to which every member is told
-- ARGV[6] head - read event for all, before the number
-- ARGV[7] tail - read event for all, after the number
-- ARGV[8] own_head - read event for the user's own sessions, before the number
-- ARGV[9] own_tail - read event for the user's own sessions, after the number
-- USES numbers, marks, judge, mentions
-- Returns {lastReadMessage, unread}, or {-1} for no member

local last_read, meta, members, deleted = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local channel, publish, user = ARGV[1], ARGV[2], ARGV[3]
local asked, limit = tonumber(ARGV[4]), tonumber(ARGV[5])

local record = redis.call('HGET', members, user)
if not record then
  return {-1}
end
local known = redis.call('HMGET', meta, 'lastMessage', 'deletions')
local top = tonumber(known[1] or '0')
sort_marks(last_read)
local before = tonumber(redis.call('ZSCORE', last_read, user) or '0')
local mark = math.min(asked, top)
if mark <= before then
  return {before, unread_above(before, top, since_of(record), deleted, known[2])}
end
local mark_text = digits(mark)
raise_mark(last_read, user, mark_text)
forget_mentions(KEYS[5], user, mark)
if redis.call('HLEN', members) <= limit then
  redis.call(publish, channel, ARGV[6] .. mark_text .. ARGV[7])
else
  redis.call(publish, channel, ARGV[8] .. mark_text .. ARGV[9])
end
return {mark, unread_above(mark, top, since_of(record), deleted, known[2])}
