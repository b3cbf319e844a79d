-- How a membership ends, whoever ends it. Needs numbers, marks, judge, roles,
-- mentions, lifetime.

-- Forget a member, and note it for nodes that do not hear of it; with the last member the
-- room ends after a while, all keys of it, unless a key has made it.
local function end_membership(members, member_ids, last_read, quits, staff, mentions, meta,
    user, keep, empty, ending)
  sort_marks(last_read)
  redis.call('ZREM', last_read, user)
  redis.call('ZREM', staff, user)
  forget_mentions(mentions, user)
  redis.call('ZREM', member_ids, user)
  if redis.call('HDEL', members, user) == 0 then
    return false
  end
  local now = tonumber(redis.call('TIME')[1])
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', quits, '-inf', now - keep)) do
    redis.call('ZREM', quits, old)
  end
  redis.call('ZADD', quits, now, user)
  if not is_there(members, meta) then
    keep = math.min(keep, empty)
    end_all(ending, empty)
  end
  redis.call('EXPIRE', quits, keep)
  return true
end

-- Where no owner is left, the longest serving moderator becomes one; return who.
local function pass_ownership(members, staff)
  local next_one = nil
  for _, user in ipairs(redis.call('ZRANGE', staff, 0, -1)) do
    local record = redis.call('HGET', members, user)
    if record and role_of(record) == 'owner' then
      return
    end
    next_one = next_one or (record and user)
  end
  if next_one then
    local record = redis.call('HGET', members, next_one)
    set_role(members, staff, next_one, record, 'owner', 0)
  end
  return next_one
end
