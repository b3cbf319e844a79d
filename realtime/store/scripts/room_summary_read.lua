-- Read a line of a user's room list: how far the room is, and how far they have read.
-- KEYS[1] last_read - sorted set
-- KEYS[2] meta - hash
-- KEYS[3] messages - hash
-- KEYS[4] members - hash
-- KEYS[5] deleted - sorted set: numbers of deleted messages
-- KEYS[6] reactions - hash
-- KEYS[7] mentions - sorted set
-- KEYS[8] mentions_all - sorted set
-- ARGV[1] user - id
-- USES numbers, marks, judge, states, mentions
-- Returns {lastMessage, lastReadMessage, unread, name or '', newest message or '', kind or
-- '', role, mentions that are unread}, or {} for who is no member

local last_read, meta, messages = KEYS[1], KEYS[2], KEYS[3]
local members, deleted, reactions = KEYS[4], KEYS[5], KEYS[6]

local mark = redis.pcall('ZSCORE', last_read, ARGV[1])
if type(mark) == 'table' then
  sort_marks(last_read)
  mark = redis.call('ZSCORE', last_read, ARGV[1])
end
if not mark then
  return {}
end
mark = tonumber(mark)
local record = redis.call('HGET', members, ARGV[1]) or ''
local since = since_of(record)
local known = redis.call('HMGET', meta, 'lastMessage', 'name', 'deletions', 'reactions',
  'kind')
local last = math.max(tonumber(known[1] or '0'), mark)
local newest = last >= since and redis.call('HGET', messages, digits(last))
if newest and known[4] then
  newest = with_reactions(newest, redis.call('HGET', reactions, digits(last)))
end
return {last, mark, unread_above(mark, last, since, deleted, known[3]), known[2] or '',
  newest or '', known[5] or '', (role_of(record)),
  unread_mentions(KEYS[7], KEYS[8], ARGV[1], math.max(mark, since - 1))}
