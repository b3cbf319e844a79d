-- Read a line of a user's room list: how far the room is, and how far they have read.
-- KEYS[1] last_read - sorted set
-- KEYS[2] meta - hash
-- KEYS[3] messages - hash
-- ARGV[1] user - id
-- USES numbers, marks
-- Returns {lastMessage, lastReadMessage, name or '', newest message or ''}, or {} for who
-- is no member

local last_read, meta, messages = KEYS[1], KEYS[2], KEYS[3]

sort_marks(last_read)
local mark = redis.call('ZSCORE', last_read, ARGV[1])
if not mark then
  return {}
end
local known = redis.call('HMGET', meta, 'lastMessage', 'name')
local last = math.max(tonumber(known[1] or '0'), tonumber(mark))
return {last, tonumber(mark), known[2] or '',
  redis.call('HGET', messages, digits(last)) or ''}
