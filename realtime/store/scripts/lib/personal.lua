-- What a user's devices are told of their rooms, by a log of the user's own. Needs
-- numbers, log.

-- The settings of a room, by their letters, in the order in which they are stored.
local LETTERS = 'mpaunt'

-- Write an event of the log and publish it; {err} where it cannot be stored.
-- body: the event's own JSON members, no braces. told: channel, publish command, uid,
-- events and bytes that the log keeps, their age in ms, and the log's own in seconds.
-- The log is no truth: where it lost its end, or its meta hash, it begins anew, and the
-- nodes find that by its uids.
local function tell_user(log, meta, name, body, told)
  local channel, publish, uid = told[1], told[2], told[3]
  local event = next_event(log, log, meta)
  if event then
    local bytes = '["' .. name .. '",{"offset":' .. event.offset_text .. ',"uid":"'
      .. uid .. '",' .. body .. ',"at":' .. event.at_text .. '}]'
    -- Events of one user are alike: so many of this size are as many bytes.
    local kept = math.min(tonumber(told[4]), math.ceil(told[5] / #bytes))
    local failed = log_event(log, meta, event, uid, bytes, {kept, tonumber(told[6])})
    if not failed then
      redis.call('EXPIRE', log, told[7])
      redis.call('EXPIRE', meta, told[7])
      redis.call(publish, channel, bytes)
      return nil
    end
    if failed.err then
      return failed
    end
  end
  redis.call('DEL', log, meta)
  return tell_user(log, meta, name, body, told)
end

-- Return the members of a room's settings, whole, by their letters.
local function settings_of(room, letters)
  local function has(letter)
    return string.find(letters, letter, 1, true) and 'true' or 'false'
  end
  local push = has('n') == 'true' and 'none' or has('t') == 'true' and 'mentions' or 'all'
  return '"room":"' .. room .. '","muted":' .. has('m') .. ',"pinned":' .. has('p')
    .. ',"archived":' .. has('a') .. ',"markedUnread":' .. has('u')
    .. ',"push":"' .. push .. '"'
end
