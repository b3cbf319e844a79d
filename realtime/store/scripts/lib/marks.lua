-- Read marks: a sorted set of users by lastReadMessage. Needs numbers.

-- Earlier versions kept a hash, which becomes a sorted set when it is first touched.
local function sort_marks(last_read)
  if redis.call('TYPE', last_read).ok ~= 'hash' then
    return
  end
  local marks = redis.call('HGETALL', last_read)
  local ends_in = redis.call('PTTL', last_read)
  redis.call('DEL', last_read)
  for at = 1, #marks, 2 do
    redis.call('ZADD', last_read, marks[at + 1], marks[at])
  end
  if ends_in > 0 then
    redis.call('PEXPIRE', last_read, ends_in)
  end
end

-- Raise a user's mark; it never falls.
local function raise_mark(last_read, user, mark)
  local raised = redis.pcall('ZADD', last_read, 'GT', mark, user)
  if type(raised) == 'table' then
    sort_marks(last_read)
    redis.call('ZADD', last_read, 'GT', mark, user)
  end
end

-- How many messages above a user's mark, up to the last one, they have to read: what was
-- there before they may see, and what was deleted, is not among them.
local function unread_above(mark, last, since, deleted, deletions)
  mark = math.max(mark, since - 1)
  local gone = deletions and redis.call('ZCOUNT', deleted, '(' .. digits(mark), '+inf') or 0
  return math.max(0, last - mark - gone)
end
