-- Read the events after a position, after proof that the position is of this log.
-- The words of messages that were deleted since are left out.
-- KEYS[1] log - stream
-- KEYS[2] meta - hash
-- KEYS[3] messages - hash
-- KEYS[4] deleted - sorted set: numbers of deleted messages
-- ARGV[1] offset - of the position, 0 for the beginning
-- ARGV[2] uid - of the event at that offset, empty for offset 0
-- ARGV[3] upto - offset to read up to, or + for all
-- ARGV[4] limit - events to return at most
-- ARGV[5] limit_bytes - no further one is returned from there on
-- USES numbers, states, substitutes
-- Returns {proved 0|1, top offset, top uid, {event, ...}}

local log, meta, messages, deleted = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local offset, uid, upto, limit = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]

local top = redis.call('HMGET', meta, 'offset', 'uid', 'deletions')
local top_offset, top_uid = top[1] or '0', top[2] or ''
local refused = {0, tonumber(top_offset), top_uid, {}}

if offset > tonumber(top_offset) then
  return refused
end
if offset == tonumber(top_offset) then
  -- The top needs no entry to prove it: the log itself may have been deleted.
  return uid == top_uid and {1, offset, top_uid, {}} or refused
end
if offset == 0 then
  if uid ~= '' then
    return refused
  end
  if tonumber(top_offset) > 0 and #redis.call('XRANGE', log, '1-0', '1-0') == 0 then
    return refused
  end
else
  local here = redis.call('XRANGE', log, ARGV[1] .. '-0', ARGV[1] .. '-0')
  if #here == 0 or here[1][2][2] ~= uid then
    return refused
  end
end

local last = upto == '+' and '+' or upto .. '-0'
local entries = redis.call('XRANGE', log, '(' .. ARGV[1] .. '-0', last, 'COUNT', limit)
local events, size = {}, 0
for index, entry in ipairs(entries) do
  if size >= tonumber(ARGV[5]) then
    break
  end
  events[index] = entry[2][6]
  size = size + #events[index]
end
if top[3] then
  substitute_deleted(events, deleted, messages)
end
return {1, tonumber(top_offset), top_uid, events}
