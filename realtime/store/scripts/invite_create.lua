-- Make an invite link of a room; those that have ended are forgotten.
-- KEYS[1] members - hash
-- KEYS[2] meta - hash
-- KEYS[3] invites - hash
-- KEYS[4] audit - stream
-- ARGV[1] user - id of who makes it
-- ARGV[2] token - of the invite, not to be guessed
-- ARGV[3] keep_ms - milliseconds until it ends
-- ARGV[4] uses - how often it may be used, -1: any number of times
-- ARGV[5] limit - invites that a room has at most
-- ARGV[6] body - the members of its note that are known before, JSON, without braces
-- USES numbers, judge, invites, audit
-- Returns {1, when it ends in Unix ms}, or {-1, reason, 0}: not_member; role: theirs does
-- not allow it; no_room; invites: the room has too many

local members, meta, invites, audit = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local user, keep_ms = ARGV[1], tonumber(ARGV[3])

local record = actor_of(members, user)
if not record then
  return {-1, 'not_member', 0}
end
local known = redis.call('HMGET', meta, 'kind', 'invite')
if not is_there(members, meta) then
  return {-1, 'no_room', 0}
end
-- A direct room has its two for ever.
if known[1] == 'direct' or (role_of(record) == 'member' and known[2] ~= 'members') then
  return {-1, 'role', 0}
end
local now = clock()
local all = redis.call('HGETALL', invites)
local kept = #all / 2
for at = 1, #all, 2 do
  if invite_parts(all[at + 1]) <= now then
    redis.call('HDEL', invites, all[at])
    kept = kept - 1
  end
end
if kept >= tonumber(ARGV[5]) then
  return {-1, 'invites', 0}
end
local ends_at = now + keep_ms
redis.call('HSET', invites, ARGV[2], invite_value(ends_at, tonumber(ARGV[4]), now, user))
if redis.call('PTTL', invites) < keep_ms then
  redis.call('PEXPIRE', invites, keep_ms)
end
note_act(audit, '["invite_created",{' .. ARGV[6] .. ',"at":' .. digits(now) .. '}]')
return {1, ends_at}
