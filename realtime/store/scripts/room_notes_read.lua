-- Read what is kept for a room's moderators, the newest first: its reports, or its audit.
-- KEYS[1] members - hash
-- KEYS[2] notes - stream
-- ARGV[1] user - id of who asks
-- ARGV[2] before - only notes before this one's id, +: all
-- ARGV[3] limit - notes to return at most
-- USES numbers, judge
-- Returns {1, {{id, note, is about a message from before they came 0|1}, ...}}, or {-1, reason, 0}: not_member; role: they are no moderator

local members, notes = KEYS[1], KEYS[2]

local record = actor_of(members, ARGV[1])
if not record then
  return {-1, 'not_member', 0}
end
if role_of(record) == 'member' then
  return {-1, 'role', 0}
end
local before = ARGV[2] == '+' and '+' or '(' .. ARGV[2]
local since, found = since_of(record), {}
for at, entry in ipairs(redis.call('XREVRANGE', notes, before, '-', 'COUNT', ARGV[3])) do
  local about = tonumber(string.match(entry[2][2], '"message":(%d+)') or since)
  found[at] = {entry[1], entry[2][2], about < since and 1 or 0}
end
return {1, found}
