-- End a user's membership, tell all nodes, and note it for the deaf ones.
-- In a room of two it is noted who is absent.
-- With the last owner's the longest serving moderator becomes one; with the last member's
-- the room itself ends, after a while: all keys of it.
-- KEYS[1] members - hash
-- KEYS[2] last_read - sorted set
-- KEYS[3] quits - sorted set
-- KEYS[4] meta - hash
-- KEYS[5] staff - sorted set: owners and moderators, by since when
-- KEYS[6] mentions - sorted set
-- KEYS[7] member_ids - sorted set
-- KEYS[8..] ending - all that ends with the room
-- ARGV[1] user - id
-- ARGV[2] keep_seconds - how long the note is kept
-- ARGV[3] channel - of the room
-- ARGV[4] publish_command - PUBLISH or SPUBLISH
-- ARGV[5] control - message that tells the nodes of it
-- ARGV[6] empty_seconds - how long a room without members is kept
-- USES numbers, marks, judge, roles, mentions, lifetime, leaving
-- Returns who became owner by it, '' if nobody did

local members, last_read, quits, meta = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local staff, mentions, member_ids = KEYS[5], KEYS[6], KEYS[7]
local user, keep, empty = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[6])
local channel, publish, control = ARGV[3], ARGV[4], ARGV[5]

local before = redis.call('HGET', members, user)
if not end_membership(members, member_ids, last_read, quits, staff, mentions, meta, user, keep,
    empty, {unpack(KEYS, 8)}) then
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
