-- Let a user come again who was banned; repeating it is fine.
-- KEYS[1] members - hash
-- KEYS[2] bans - sorted set: who may not come, by until when
-- KEYS[3] audit - stream: what was done, by whom
-- ARGV[1] actor - id of who does it
-- ARGV[2] user - id of who may come
-- ARGV[3] body - the members of its note that are known before, JSON, without braces
-- USES numbers, judge, roles, audit
-- Returns {1 if they were banned, else 0}, or {-1, reason, 0}: not_member: who asks is none;
-- role: theirs does not allow it

local members, bans, audit = KEYS[1], KEYS[2], KEYS[3]

local actor = actor_of(members, ARGV[1])
if not actor then
  return {-1, 'not_member', 0}
end
if rank_of(actor) < 2 then
  return {-1, 'role', 0}
end
if redis.call('ZREM', bans, ARGV[2]) == 0 then
  return {0}
end
note_act(audit, '["member_unbanned",{' .. ARGV[3] .. ',"at":' .. digits(clock()) .. '}]')
return {1}
