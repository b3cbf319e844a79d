-- Return the result of a send that was stored before, as an append would.
-- KEYS[1] sent - string: what this user's clientId gave
-- Returns {message, offset, uid, at in Unix ms}, or {} if there is no such send

local first = redis.call('GET', KEYS[1])
if not first then
  return {}
end
local n, o, u, a = string.match(first, '^(%d+) (%d+) (%S+) (%d+)$')
return {tonumber(n), tonumber(o), u, tonumber(a)}
