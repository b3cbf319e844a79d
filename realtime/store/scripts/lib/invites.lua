-- Invite links of a room: a token to when it ends in Unix ms, how often it may still be
-- used (-1: any number of times), when it was made in Unix ms, and by whom. Needs numbers,
-- judge.

local function invite_value(ends_at, left, at, by)
  return digits(ends_at) .. ' ' .. digits(left) .. ' ' .. digits(at) .. ' ' .. by
end

-- Return what an invite's value says, in this order.
local function invite_parts(value)
  local ends_at, left, at, by = string.match(value, '^(%d+) (%-?%d+) (%d+) (.+)$')
  return tonumber(ends_at), tonumber(left), tonumber(at), by
end

-- Use an invite once and return true; false: there is none, it has ended, or who made it
-- may not invite any more.
local function take_invite(invites, token, now, members, inviters)
  local value = redis.call('HGET', invites, token)
  if not value then
    return false
  end
  local ends_at, left, at, by = invite_parts(value)
  local maker = actor_of(members, by)
  if not maker or (role_of(maker) == 'member' and inviters ~= 'members') then
    return false
  end
  if ends_at <= now or left == 1 then
    redis.call('HDEL', invites, token)
  elseif left > 1 then
    redis.call('HSET', invites, token, invite_value(ends_at, left - 1, at, by))
  end
  return ends_at > now
end
