-- Make a room's meta hash anew from its log or its messages, where it was lost.
-- KEYS[1] log - stream
-- KEYS[2] messages - hash
-- KEYS[3] meta - hash
-- KEYS[4] deleted - sorted set: numbers of deleted messages
-- KEYS[5] reactions - hash
-- USES numbers
-- Returns {top offset, top uid}

local log, messages, meta = KEYS[1], KEYS[2], KEYS[3]
local deleted, reactions = KEYS[4], KEYS[5]

-- Events that are looked at together for the last message.
local LOOKED_AT = 100

local top = redis.call('HMGET', meta, 'offset', 'uid')
if top[1] then
  return {tonumber(top[1]), top[2] or ''}
end
local last, changed = 0, 0
local states = redis.call('HGETALL', messages)
for at = 1, #states, 2 do
  last = math.max(last, tonumber(states[at]) or 0)
  local rev = string.match(states[at + 1], ',"rev":(%d+)}$')
  changed = math.max(changed, tonumber(rev or '0'))
end
for _, reacted in ipairs(redis.call('HVALS', reactions)) do
  changed = math.max(changed, tonumber(string.match(reacted, '^%d+') or '0'))
end
local newest = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
local event = newest and newest[2][6] or redis.call('HGET', messages, digits(last))
local offset, uid = string.match(event or '', '{"offset":(%d+),"uid":"([%w_-]+)"')
if not offset then
  return {0, ''}
end
-- No change may have the offset of one that a message has taken in already.
offset = digits(math.max(tonumber(offset), changed))
local place = '+'
while place and last == 0 do
  local entries = redis.call('XREVRANGE', log, place, '-', 'COUNT', LOOKED_AT)
  place = #entries == LOOKED_AT and '(' .. entries[#entries][1] or nil
  for _, entry in ipairs(entries) do
    last = tonumber(string.match(entry[2][6], '^%["message",.-"message":(%d+),')
      or string.match(entry[2][6], '"after":(%d+),"at":%d+}%]$') or '0')
    if last > 0 then
      break
    end
  end
end
redis.call('HSET', meta, 'offset', offset, 'uid', uid, 'lastMessage', digits(last))
if redis.call('EXISTS', deleted) == 1 then
  redis.call('HSET', meta, 'deletions', '1')
end
if redis.call('EXISTS', reactions) == 1 then
  redis.call('HSET', meta, 'reactions', '1')
end
return {tonumber(offset), uid}
