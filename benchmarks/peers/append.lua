-- One message of the peers that do the same job: membership, dedupe, number, log, history, read
-- mark and publication in one step.
-- KEYS: log (stream), messages (hash), meta (hash), last_read (hash), members (hash), sent (string)
-- ARGV: channel, user, uid, the message's own JSON members without braces
-- Returns {duplicate 0|1, offset}; {-1}: not a member.
if redis.call('HEXISTS', KEYS[5], ARGV[2]) == 0 then return {-1} end
local seen = redis.call('GET', KEYS[6])
if seen then return {1, tonumber(seen)} end
local offset = redis.call('HINCRBY', KEYS[3], 'offset', 1)
local time = redis.call('TIME')
local at = time[1] * 1000 + math.floor(time[2] / 1000)
local event = '["message",{"offset":' .. offset .. ',"uid":"' .. ARGV[3] .. '","message":' .. offset
  .. ',' .. ARGV[4] .. ',"at":' .. string.format('%.0f', at) .. '}]'
redis.call('XADD', KEYS[1], 'MAXLEN', '~', 10000, offset .. '-0', 'uid', ARGV[3], 'event', event)
redis.call('HSET', KEYS[2], offset, event)
redis.call('HSET', KEYS[4], ARGV[2], offset)
redis.call('SET', KEYS[6], offset, 'EX', 86400)
redis.call('PUBLISH', ARGV[1], event)
return {0, offset}
