-- Read a room's invite links: a moderator all of them, a member their own.
-- KEYS[1] members - hash
-- KEYS[2] invites - hash
-- ARGV[1] user - id of who asks
-- USES numbers, judge, invites
-- Returns {1, {{token, ends at, uses left, made at, by}, ...}}, or {-1, not_member, 0}

local members, invites = KEYS[1], KEYS[2]
local user = ARGV[1]

local record = actor_of(members, user)
if not record then
  return {-1, 'not_member', 0}
end
local sees_all, now, found = role_of(record) ~= 'member', clock(), {}
local all = redis.call('HGETALL', invites)
for place = 1, #all, 2 do
  local ends_at, left, at, by = invite_parts(all[place + 1])
  if ends_at > now and (sees_all or by == user) then
    found[#found + 1] = {all[place], ends_at, left, at, by}
  end
end
return {1, found}
