-- Mentions that are to be read. Each is "<user, quoted>:<number, 16 digits>" in a sorted
-- set, scored 0; a message that mentions everybody is in another one. Needs numbers.

-- Return what stands for a user's mention. Quoted ids have neither colon nor semicolon.
local function mention_of(user, number)
  local quoted = string.gsub(user, '[^%w_.~-]', function(byte)
    return string.format('%%%02X', string.byte(byte))
  end)
  return quoted .. string.format(':%016.0f', number)
end

-- Return the end of a user's mentions as a bound of ZLEXCOUNT and its kind.
local function end_of(mention)
  return '(' .. string.sub(mention, 1, -18) .. ';'
end

-- How many messages above a user's mark mention them.
local function unread_mentions(mentions, everybody, user, mark)
  local read = mention_of(user, mark)
  return redis.call('ZLEXCOUNT', mentions, '(' .. read, end_of(read))
    + redis.call('ZCOUNT', everybody, '(' .. digits(mark), '+inf')
end

-- Take note that a message mentions users; who is no member is not mentioned. What is
-- below the oldest message that is kept is forgotten of each.
local function note_mentions(mentions, members, users, number, oldest)
  for _, user in ipairs(users) do
    if redis.call('HEXISTS', members, user) == 1 then
      local mention = mention_of(user, number)
      redis.call('ZADD', mentions, 0, mention)
      redis.call('ZREMRANGEBYLEX', mentions, '[' .. mention_of(user, 0),
        '(' .. mention_of(user, math.max(oldest, 0)))
    end
  end
end

-- Forget a user's mentions up to a number; all of them without one.
local function forget_mentions(mentions, user, number)
  local first = mention_of(user, 0)
  redis.call('ZREMRANGEBYLEX', mentions, '[' .. first,
    number and '[' .. mention_of(user, number) or end_of(first))
end

-- Return the users that JSON members, in braces, mention.
local function mentioned_in(state)
  if not string.find(state, '"mentions":[', 1, true) then
    return {}
  end
  return cjson.decode(state).mentions or {}
end

-- A message mentions nobody any more.
local function drop_mentions(mentions, everybody, state, number)
  redis.call('ZREM', everybody, number)
  for _, user in ipairs(mentioned_in(state)) do
    redis.call('ZREM', mentions, mention_of(user, number))
  end
end
