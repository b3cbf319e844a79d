-- Note that a user's tokens of up to now are not good any more; old notes are forgotten.
-- KEYS[1] revoked - sorted set: user, by the first second whose tokens are good
-- ARGV[1] user - id
-- ARGV[2] keep_seconds - how long it is noted
-- ARGV[3] limit - users that may be noted
-- Returns the first second whose tokens are good, or 0 if too many are noted

local revoked, user, keep = KEYS[1], ARGV[1], tonumber(ARGV[2])

local good_from = tonumber(redis.call('TIME')[1]) + 1
redis.call('ZREMRANGEBYSCORE', revoked, '-inf', good_from - keep)
if not redis.call('ZSCORE', revoked, user)
  and redis.call('ZCARD', revoked) >= tonumber(ARGV[3]) then
  return 0
end
redis.call('ZADD', revoked, good_from, user)
redis.call('EXPIRE', revoked, keep)
return good_from
