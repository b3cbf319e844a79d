-- Forget a use of a file, and mark a file without any as being deleted.
-- KEYS[1] uses - hash: what shows the file
-- KEYS[2] user_bytes - hash: bytes of each user's images
-- ARGV[1] use - "<room> <clientId> <user>", or an empty string for none
-- ARGV[2] value - of the use; one that has changed stays
-- Returns 1 if no message shows the file: it is to be deleted; else 0

local uses, bytes = KEYS[1], KEYS[2]
local use, value = ARGV[1], ARGV[2]
if use ~= '' and redis.call('HGET', uses, use) == value then
  redis.call('HDEL', uses, use)
  local user = string.match(use, '^%S+ %S+ (.*)$')
  local size = string.match(value, '^%d+')
  if redis.call('HINCRBY', bytes, user, '-' .. size) <= 0 then
    redis.call('HDEL', bytes, user)
  end
end
if redis.call('HLEN', uses) > redis.call('HEXISTS', uses, '') then
  return 0
end
redis.call('HSET', uses, '', '')
return 1
