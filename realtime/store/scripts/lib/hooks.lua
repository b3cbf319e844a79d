-- What an endpoint is to be told: entries of its queue, and those that are given up.
-- Needs numbers.

-- What an entry takes beside its body, about.
local ENTRY_BYTES = 200

-- Old entries that make room for a new one in one call, of both lists.
local ROOM_AT_ONCE = 100

-- Take an entry out of the queue, and return the bytes that are left; false: it is not
-- there.
local function take_out(queue, later, tries, state, entry, bytes)
  redis.call('ZREM', later, entry)
  redis.call('HDEL', tries, entry)
  if redis.call('XDEL', queue, entry) == 0 then
    return false
  end
  return redis.call('HINCRBY', state, 'bytes', -bytes - ENTRY_BYTES)
end

-- Keep an entry's fields among those that were given up, for as long as they may be; the
-- oldest make room.
local function bury(dead, state, fields, why, tried, limit_bytes, keep_ms)
  redis.call('XADD', dead, '*', 'id', fields[2], 'type', fields[4], 'room', fields[6],
    'body', fields[8], 'why', why, 'tries', tried)
  local held = redis.call('HINCRBY', state, 'deadBytes', #fields[8] + ENTRY_BYTES)
  local too_old = clock() - keep_ms
  for _ = 1, ROOM_AT_ONCE do
    local oldest = redis.call('XRANGE', dead, '-', '+', 'COUNT', 1)[1]
    if not oldest or (held <= tonumber(limit_bytes)
        and tonumber(string.match(oldest[1], '^%d+')) >= too_old) then
      break
    end
    redis.call('XDEL', dead, oldest[1])
    held = redis.call('HINCRBY', state, 'deadBytes', -#oldest[2][8] - ENTRY_BYTES)
  end
end
