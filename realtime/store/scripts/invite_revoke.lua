-- End an invite link of a room; repeating it is fine.
-- KEYS[1] members - hash
-- KEYS[2] invites - hash
-- KEYS[3] audit - stream
-- ARGV[1] user - id of who ends it
-- ARGV[2] token - of the invite
-- ARGV[3] body - the members of its note that are known before, JSON, without braces
-- USES numbers, judge, invites, audit
-- Returns {1 if there was one, else 0}, or {-1, reason, 0}: not_member; role: it is
-- another's, and they are no moderator

local members, invites, audit = KEYS[1], KEYS[2], KEYS[3]
local user, token = ARGV[1], ARGV[2]

local record = actor_of(members, user)
if not record then
  return {-1, 'not_member', 0}
end
local value = redis.call('HGET', invites, token)
if not value then
  return {0}
end
local _, _, _, by = invite_parts(value)
if by ~= user and role_of(record) == 'member' then
  return {-1, 'role', 0}
end
redis.call('HDEL', invites, token)
note_act(audit, '["invite_revoked",{' .. ARGV[3] .. ',"at":' .. digits(clock()) .. '}]')
return {1}
