-- Return the result of a send that was stored before, as an append would.
-- KEYS[1] - sent key of a user and clientId
-- KEYS[2] - meta hash
-- Returns {1, message, offset, uid, at in Unix ms, the room's own durability or an
-- empty string}, or {} if there is no such send

local sent, meta = KEYS[1], KEYS[2]
local first = redis.call('GET', sent)
if not first then
  return {}
end
local n, o, u, a = string.match(first, '^(%d+) (%d+) (%S+) (%d+)$')
local durability = redis.call('HGET', meta, 'durability')
return {1, tonumber(n), tonumber(o), u, tonumber(a), durability or ''}
