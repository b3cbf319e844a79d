-- Who may do what: the member's record and the room's settings, read in the script that
-- writes. Needs numbers.

-- The record of an API key's sender, who is no member and above all of them.
local SYSTEM = '{"role":"system"}'

-- Tell whether a sender is an API key's: no user's id begins so.
local function is_key(user)
  return string.byte(user) == 36
end

-- Return who acts: their record; nil for who is no member and no API key.
local function actor_of(members, user)
  return redis.call('HGET', members, user) or (is_key(user) and SYSTEM) or nil
end

-- Tell whether there is a room: one that a key has made may be without members.
local function is_there(members, meta)
  if redis.call('EXISTS', members) == 1 then
    return true
  end
  local by = redis.call('HGET', meta, 'createdBy')
  return by and is_key(by)
end

-- A user's role and the end of their muting in Unix ms, by their record.
local function role_of(record)
  return string.match(record, '"role":"(%a+)"'),
    tonumber(string.match(record, '"mutedUntil":(%d+)') or '0')
end

-- The first message number that a user may see, by their record.
local function since_of(record)
  return tonumber(string.match(record, '"since":(%d+)') or '1')
end

-- Return nil if a member may write now; else the reason and, for a muting, its end.
local function may_not_write(record, writers, now)
  local role, muted_until = role_of(record)
  if muted_until > now then
    return 'muted', muted_until
  end
  if writers == 'blocked' and role ~= 'system' then
    return 'blocked', 0
  end
  if writers == 'moderators' and role == 'member' then
    return 'frozen', 0
  end
end
