-- Note that a room is about to be written to, so that somebody looks at it afterwards.
-- KEYS[1] outbox - sorted set: room to when it is looked at, in Unix ms
-- ARGV[1] room - its id
-- ARGV[2] look_ms - until it is looked at, if nobody has by then
-- USES numbers
-- Returns 1

redis.call('ZADD', KEYS[1], 'GT', digits(clock() + ARGV[2]), ARGV[1])
return 1
