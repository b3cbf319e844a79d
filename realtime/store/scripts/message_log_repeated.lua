-- Return the result of a send, or of an edit, that was stored before, as that would.
-- KEYS[1] sent - string: what this user's clientId gave
-- ARGV[1] operation - the letter of the operation, e: edit; empty: send
-- ARGV[2] fingerprint - of the request, hexadecimal, that a repeat must have; empty: none
-- USES sent
-- Returns {0, message, offset, uid, at in Unix ms}, {} if there is no such one, or
-- {-1, reused, 0}: the clientId was another operation's, or another request's

local first = redis.call('GET', KEYS[1])
if not first then
  return {}
end
return remembered(first, nil, ARGV[1], ARGV[2])
