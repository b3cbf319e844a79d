-- End a room for all its members, who are told; its id stays taken for a while.
-- KEYS[1] members - hash
-- KEYS[2] meta - hash
-- KEYS[3] log - stream
-- KEYS[4] messages - hash
-- KEYS[5] quits - sorted set
-- KEYS[6] staff - sorted set
-- KEYS[7] slow - sorted set
-- KEYS[8] reports - stream
-- KEYS[9] member_ids - sorted set
-- KEYS[10] ended - stream: what is left of the log for those who pass events on
-- KEYS[11..] ending - all that ends with the room
-- ARGV[1] actor - id of who does it
-- ARGV[2] uid - of the event, unique
-- ARGV[3] body - the event's own JSON members, without braces
-- ARGV[4] keep_seconds - how long the id is kept, and the notes for nodes that do not hear
-- ARGV[5] channel - of the room
-- ARGV[6] publish_command - PUBLISH or SPUBLISH
-- ARGV[7] control - message that tells the nodes of it
-- ARGV[8] passed_on - 1 if somebody passes events on
-- ARGV[9] passed_on_seconds - for them to do so
-- USES numbers, log, judge, roles
-- Returns {1}, or {-1, reason, 0}: not_member: who asks is none;
-- role: theirs does not allow it; no_room; lost: the meta hash is to be mended first

local members, meta, log, messages, quits = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local staff, slow, reports, member_ids = KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local ended, keep = KEYS[10], tonumber(ARGV[4])
local channel, publish = ARGV[5], ARGV[6]

local actor = actor_of(members, ARGV[1])
if not actor then
  -- The answer of this very call was lost, and it was sent again.
  if redis.call('HGET', meta, 'deletedAs') == ARGV[2] then
    return {1}
  end
  return {-1, 'not_member', 0}
end
local event = next_event(log, messages, meta, 'lastMessage', 'kind')
if not event then
  return {-1, 'lost', 0}
end
if not is_there(members, meta) then
  return {-1, 'no_room', 0}
end
-- A direct room has its two for ever.
if rank_of(actor) < 3 or event.known[OWN + 1] == 'direct' then
  return {-1, 'role', 0}
end
local bytes = room_event('room_deleted', event, ARGV[2], ARGV[3], event.known[OWN])
local now = math.floor(event.at / 1000)
for _, user in ipairs(redis.call('HKEYS', members)) do
  redis.call('ZADD', quits, digits(now), user)
end
redis.call('EXPIRE', quits, keep)
local passed = redis.call('HMGET', meta, 'passed', 'passedReport', 'passedBy')
-- Of one that is deleted again by an API key it was kept the first time.
if ARGV[8] == '1' and redis.call('EXISTS', ended) == 0 then
  redis.call('XTRIM', log, 'MINID', digits(tonumber(passed[1] or '0') + 1))
  redis.call('XADD', log, event.offset_text .. '-0', 'uid', ARGV[2], 'at', event.at_text,
    'event', bytes)
  redis.call('RENAME', log, ended)
  redis.call('EXPIRE', ended, ARGV[9])
  redis.call('EXPIRE', reports, ARGV[9])
elseif ARGV[8] ~= '1' then
  redis.call('DEL', reports)
end
for _, each in ipairs({members, staff, slow, member_ids, unpack(KEYS, 11)}) do
  if each ~= reports then
    redis.call('DEL', each)
  end
end
redis.call('HSET', meta, 'kind', 'deleted', 'deletedAs', ARGV[2])
if ARGV[8] == '1' then
  redis.call('HSET', meta, 'passed', passed[1] or '0', 'passedReport', passed[2] or '0-0',
    'passedBy', passed[3] or ' 0')
end
redis.call('EXPIRE', meta, keep)
redis.call(publish, channel, bytes)
redis.call(publish, channel, ARGV[7])
return {1}
