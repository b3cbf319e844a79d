-- Return the result of a send that was stored before, as an append would.
-- KEYS[1] sent - string: what this user's clientId gave
-- USES sent
-- Returns {0, message, offset, uid, at in Unix ms}, {} if there is no such send, or
-- {-1, reused, 0}: the clientId was another operation's

local first = redis.call('GET', KEYS[1])
if not first then
  return {}
end
return remembered(first, nil, '')
