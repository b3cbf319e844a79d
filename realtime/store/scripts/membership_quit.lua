-- End a user's membership, tell all nodes, and note it for the deaf ones.
-- In a room of two it is noted who is absent.
-- With the last owner's the longest serving moderator becomes one; with the last member's
-- the room itself ends, after a while: all keys of it.
-- KEYS[1] members - hash
-- KEYS[2] last_read - sorted set
-- KEYS[3] quits - sorted set
-- KEYS[4] meta - hash
-- KEYS[5] log - stream
-- KEYS[6] messages - hash
-- KEYS[7] sessions - hash
-- KEYS[8] online - hash
-- KEYS[9] staff - sorted set: owners and moderators, by since when
-- KEYS[10] bans - sorted set: who may not come, by until when
-- KEYS[11] deleted - sorted set
-- KEYS[12] reactions - hash
-- KEYS[13] reactors - sorted set
-- KEYS[14] pins - sorted set
-- KEYS[15] audit - stream: what was done, by whom
-- KEYS[16] reports - stream
-- KEYS[17] invites - hash
-- KEYS[18] mentions - sorted set
-- KEYS[19] mentions_all - sorted set
-- KEYS[20] member_ids - sorted set
-- KEYS[21] media - sorted set
-- ARGV[1] user - id
-- ARGV[2] keep_seconds - how long the note is kept
-- ARGV[3] channel - of the room
-- ARGV[4] publish_command - PUBLISH or SPUBLISH
-- ARGV[5] control - message that tells the nodes of it
-- ARGV[6] empty_seconds - how long a room without members is kept
-- USES numbers, marks, judge, roles, mentions, lifetime, leaving
-- Returns who became owner by it, '' if nobody did

local members, last_read, quits = KEYS[1], KEYS[2], KEYS[3]
local meta, log, messages = KEYS[4], KEYS[5], KEYS[6]
local sessions, online, staff, bans = KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local deleted, reactions, reactors, pins = KEYS[11], KEYS[12], KEYS[13], KEYS[14]
local audit, reports, invites = KEYS[15], KEYS[16], KEYS[17]
local mentions, mentions_all, member_ids, media = KEYS[18], KEYS[19], KEYS[20], KEYS[21]
local user, keep, empty = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[6])
local channel, publish, control = ARGV[3], ARGV[4], ARGV[5]

local before = redis.call('HGET', members, user)
if not end_membership(members, member_ids, last_read, quits, staff, mentions, user, keep, empty,
    {meta, log, messages, sessions, online, bans, deleted, reactions, reactors, pins,
      audit, reports, invites, mentions_all, media}) then
  return ''
end
local heir = role_of(before) == 'owner' and pass_ownership(members, staff)
-- A room of two is theirs for ever: the next message brings back who quit.
if redis.call('HGET', meta, 'kind') == 'direct' and redis.call('EXISTS', members) == 1 then
  redis.call('HSET', meta, 'absent', user)
  if not redis.call('HGET', meta, 'writers') then
    redis.call('HSET', meta, 'writers', 'absent')
  end
end
redis.call(publish, channel, control)
return heir or ''
