-- Keep a member's report for the moderators, with the message as it is now.
-- KEYS[1] members - hash
-- KEYS[2] messages - hash
-- KEYS[3] reports - stream
-- ARGV[1] user - id of who reports
-- ARGV[2] message - its number, 0: none is reported
-- ARGV[3] body - the report's own JSON members, without braces
-- ARGV[4] limit - reports that a room keeps at most
-- ARGV[5] keep_seconds - how long they are kept after the last one
-- USES numbers, judge
-- Returns {1}, or {-1, reason, 0}: not_member; not_found: there is no such message, it was
-- deleted, or it is not theirs to see

local members, messages, reports = KEYS[1], KEYS[2], KEYS[3]
local user, number, body = ARGV[1], ARGV[2], ARGV[3]

local record = redis.call('HGET', members, user)
if not record then
  return {-1, 'not_member', 0}
end
if number ~= '0' then
  local state = redis.call('HGET', messages, number)
  local message = state and cjson.decode(state)
  if not message or message.type == 'deleted' or tonumber(number) < since_of(record) then
    return {-1, 'not_found', 0}
  end
  body = body .. ',"user":' .. cjson.encode(message.user) .. ',"copy":' .. state
end
-- Those whose time is over go first, then the oldest.
local now = clock()
redis.call('XTRIM', reports, 'MINID', digits(now - ARGV[5] * 1000))
redis.call('XADD', reports, 'MAXLEN', ARGV[4], '*', 'entry',
  '{' .. body .. ',"at":' .. digits(now) .. '}')
redis.call('EXPIRE', reports, ARGV[5])
return {1}
