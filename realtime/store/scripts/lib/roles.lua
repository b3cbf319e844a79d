-- Records of members, and who stands above whom. Needs numbers, judge.

local RANKS = {member = 1, moderator = 2, owner = 3, system = 4}

-- Return the rank of a record, 0 for who is no member.
local function rank_of(record)
  return record and RANKS[role_of(record)] or 0
end

-- Make a record: who came when, with how many messages there, and from which on they see.
local function new_record(role, now, top, since)
  return '{"role":"' .. role .. '","joinedAt":' .. digits(now) .. ',"joined":' .. digits(top)
    .. (since > 1 and ',"since":' .. digits(since) or '') .. '}'
end

-- Write the record of who becomes a member; they are found in pages as well.
local function add_member(members, member_ids, user, record)
  redis.call('HSET', members, user, record)
  redis.call('ZADD', member_ids, '0', user)
end

-- Write a record with another role; owners and moderators stand on the staff as well.
local function set_role(members, staff, user, record, role, now)
  redis.call('HSET', members, user, (string.gsub(record, '"role":"%a+"', '"role":"' .. role .. '"', 1)))
  if role == 'member' then
    redis.call('ZREM', staff, user)
  else
    redis.call('ZADD', staff, 'NX', digits(now), user)
  end
end

-- The bytes of an event about the room's people, from what stands behind its position.
local function room_event(name, event, uid, body, last_message)
  return '["' .. name .. '",{"offset":' .. event.offset_text .. ',"uid":"' .. uid .. '",' .. body
    .. ',"after":' .. (last_message or '0') .. ',"at":' .. event.at_text .. '}]'
end
