-- The next event of a room's log: where it goes, and how it is written and published.
-- Needs numbers.

-- Events whose age is looked at, and messages that are forgotten, in one call: none pays
-- for a long backlog.
local TRIM_AT_ONCE = 100

-- A clock that is set back by less must not make a later event look older; one that was
-- further ahead was wrong, and is not followed.
local SET_BACK_MS = 120000

-- Events that are too old must be so for this long: a clock that is ahead for a moment
-- must not take the log away.
local TOO_OLD_MS = 600000

-- The fields of meta that follow in `known`, from here on, are the caller's.
local OWN = 5

-- Return the next event: its offset and time, as numbers and as digits, and the fields
-- of meta that were asked for; nil where the meta hash was lost, and is to be mended.
local function next_event(log, messages, meta, ...)
  local known = redis.call('HMGET', meta, 'offset', 'at', 'oldestAt', 'trimAt', ...)
  if not known[1] and redis.call('EXISTS', log, messages) > 0 then
    return nil
  end
  local at = clock()
  local before = tonumber(known[2] or '0')
  if before > at and before - at <= SET_BACK_MS then
    at = before
  end
  local offset = tonumber(known[1] or '0') + 1
  return {offset = offset, offset_text = digits(offset), at = at, at_text = digits(at),
    known = known}
end

-- Keep an event that is to be published, and return nil; else what the script returns:
-- the error, or that the log is ahead of its meta hash, which is to be mended.
-- limits: {events, age in ms} that the log keeps. What follows is set in meta as well.
local function log_event(log, meta, event, uid, bytes, limits, ...)
  local added = redis.pcall('XADD', log, 'MAXLEN', '~', limits[1],
    event.offset_text .. '-0', 'uid', uid, 'at', event.at_text, 'event', bytes)
  if added.err then
    if string.find(added.err, 'smaller') then
      redis.call('HDEL', meta, 'offset')
      return {-1, 'lost', 0}
    end
    return added
  end
  redis.call('HSET', meta, 'offset', event.offset_text, 'uid', uid,
    'at', event.at_text, ...)

  -- The age of the oldest event is remembered: looked at when it may be too old only.
  local at, log_age = event.at, limits[2]
  -- An event of a clock that was ahead is as old as the moment in which it is found.
  local oldest_at = math.min(at, tonumber(event.known[3] or at))
  local trim_at = tonumber(event.known[4])
  if at - oldest_at <= log_age then
    if oldest_at == at then
      redis.call('HSET', meta, 'oldestAt', event.at_text)
    end
    if trim_at then
      redis.call('HDEL', meta, 'trimAt')
    end
  elseif not trim_at then
    redis.call('HSET', meta, 'trimAt', digits(at + TOO_OLD_MS))
  elseif at >= trim_at then
    local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', TRIM_AT_ONCE)
    local first_kept = oldest[#oldest]
    for _, entry in ipairs(oldest) do
      local age = at - tonumber(entry[2][4])
      if age >= 0 and age <= log_age then
        first_kept = entry
        break
      end
    end
    redis.call('XTRIM', log, 'MINID', first_kept[1])
    redis.call('HSET', meta, 'oldestAt', first_kept[2][4])
  end
  return nil
end
