-- Make a room's meta hash anew from its log or its messages, where it was lost.
-- KEYS[1] log - stream
-- KEYS[2] messages - hash
-- KEYS[3] meta - hash
-- Returns {top offset, top uid}

local log, messages, meta = KEYS[1], KEYS[2], KEYS[3]

local top = redis.call('HMGET', meta, 'offset', 'uid')
if top[1] then
  return {tonumber(top[1]), top[2] or ''}
end
local newest = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
local event = newest and newest[2][6]
if not event then
  local last = 0
  for _, number in ipairs(redis.call('HKEYS', messages)) do
    last = math.max(last, tonumber(number) or 0)
  end
  event = redis.call('HGET', messages, string.format('%.0f', last)) or ''
end
local offset, uid, number =
  string.match(event, '{"offset":(%d+),"uid":"([%w_-]+)","message":(%d+),')
if not offset then
  return {0, ''}
end
redis.call('HSET', meta, 'offset', offset, 'uid', uid, 'lastMessage', number)
return {tonumber(offset), uid}
