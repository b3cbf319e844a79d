-- Set or take back a user's reaction to a message.
-- It is published in rooms that are not large. Repeating it changes nothing.
-- KEYS[1] log - stream
-- KEYS[2] messages - hash
-- KEYS[3] meta - hash
-- KEYS[4] members - hash
-- KEYS[5] reactions - hash: number to "<rev> <counts by key, JSON>"
-- KEYS[6] reactors - sorted set of "<number, 16 digits>:<key, quoted>:<user>"
-- ARGV[1] channel - of the room
-- ARGV[2] publish_command - PUBLISH or SPUBLISH
-- ARGV[3] user - id
-- ARGV[4] uid - of the event, unique
-- ARGV[5] message - number
-- ARGV[6] user_json - the user's id, JSON
-- ARGV[7] key_json - what they react with, JSON
-- ARGV[8] on - 1: set, 0: taken back
-- ARGV[9] log_limit - events the log keeps at most
-- ARGV[10] log_age_ms - milliseconds the log keeps an event at most
-- ARGV[11] announce_members - members up to which each reaction is told
-- ARGV[12] each_ms - milliseconds of the room's rate that one reaction takes
-- ARGV[13] burst_ms - milliseconds of the rate that may be taken at once
-- ARGV[14] keys_limit - different keys of a message at most
-- ARGV[15] own_limit - keys of one user on a message at most
-- USES numbers, log, judge, states, reactions
-- Returns {told 0|1, changed 0|1, count}; what was changed and is not told is to be told
-- with other changes, or {-1, reason, number}: not_member; lost: the meta hash is to be
-- mended first; muted until, in Unix ms; frozen; not_found; keys, own_keys: too many;
-- busy: too many reactions in this room, with milliseconds to wait

local log, messages, meta, members = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local reactions, reactors = KEYS[5], KEYS[6]
local channel, publish, user, uid, message = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local key, on = ARGV[7], ARGV[8] == '1'

local record = actor_of(members, user)
if not record then
  return {-1, 'not_member', 0}
end
local event = next_event(log, messages, meta, 'writers', 'reactAt', 'lastMessage')
if not event then
  return {-1, 'lost', 0}
end
local now = event.at
local reason, until_ms = may_not_write(record, event.known[OWN], now)
if reason then
  return {-1, reason, until_ms}
end
local state = redis.call('HGET', messages, message)
if not state or not times_of(state) or tonumber(message) < since_of(record) then
  return {-1, 'not_found', 0}
end

local prefix = string.format('%016.0f:', tonumber(message))
local stored = redis.call('HGET', reactions, message) or '0 {}'
local rev, counts = string.match(stored, '^(%d+) (.+)$')
local count = count_of(counts, key)
local own = reactor_of(message, key, user)
local is_on = redis.call('ZSCORE', reactors, own)
if (is_on and true or false) == on then
  return {0, 0, count}
end
if on then
  local all, users = 0, 0
  for each in pairs(cjson.decode(counts)) do
    all = all + 1
    if redis.call('ZSCORE', reactors, reactor_of(message, cjson.encode(each), user)) then
      users = users + 1
    end
  end
  if count == 0 and all >= tonumber(ARGV[14]) then
    return {-1, 'keys', 0}
  end
  if users >= tonumber(ARGV[15]) then
    return {-1, 'own_keys', 0}
  end
end

count = count + (on and 1 or -1)
counts = recounted(counts, key, count)

local is_told = redis.call('HLEN', members) <= tonumber(ARGV[11])
local bytes = '["reaction",{"offset":' .. event.offset_text .. ',"uid":"' .. uid
  .. '","message":' .. message .. ',' .. string.match(state, '("room":"[%w_-]+",)')
  .. '"user":' .. ARGV[6] .. ',"key":' .. key .. ',"on":' .. tostring(on)
  .. ',"count":' .. digits(count) .. ',"at":' .. event.at_text .. '}]'
if is_told then
  local burst = tonumber(ARGV[13])
  local full_at = tonumber(event.known[OWN + 1] or '0')
  full_at = math.min(math.max(now, full_at), now + burst) + tonumber(ARGV[12])
  if full_at - now > burst then
    return {-1, 'busy', full_at - now - burst}
  end
  local failed = log_event(log, meta, event, uid, bytes, {ARGV[9], tonumber(ARGV[10])},
    'reactions', '1', 'reactAt', digits(full_at))
  if failed then
    return failed
  end
  rev = event.offset_text
else
  redis.call('HSET', meta, 'reactions', '1')
end

redis.call('HSET', reactions, message, rev .. ' ' .. counts)
if on then
  redis.call('ZADD', reactors, 0, prefix, 0, own)
else
  redis.call('ZREM', reactors, own)
end
-- What was reacted to messages that the history has left goes bit by bit.
local first = tonumber(event.known[OWN + 2] or '0') - redis.call('HLEN', messages) + 1
for _, each in ipairs(redis.call('ZRANGE', reactors, 0, TRIM_AT_ONCE - 1)) do
  local number = tonumber(string.sub(each, 1, 16))
  if number >= first then
    break
  end
  redis.call('ZREM', reactors, each)
  redis.call('HDEL', reactions, digits(number))
end
if is_told then
  redis.call(publish, channel, bytes)
end
return {is_told and 1 or 0, 1, count}
