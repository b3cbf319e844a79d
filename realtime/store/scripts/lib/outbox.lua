-- The log of a room as those read it who pass its events on. Needs numbers.

-- Entries of a log after an offset: {'<offset>-0', {'uid', uid, 'at', at, 'event', bytes}}.
local function entries_after(source, offset, count)
  return redis.call('XRANGE', source, '(' .. digits(offset) .. '-0', '+', 'COUNT', count)
end

local function offset_of(entry)
  return tonumber(string.match(entry[1], '^%d+'))
end

-- Return the highest offset whose event is older than a time in Unix ms, between that of
-- the first entry and the end. Offsets and times ascend.
local function last_before(source, first, since)
  local newest = redis.call('XREVRANGE', source, '+', '-', 'COUNT', 1)[1]
  local low, high = offset_of(first), offset_of(newest) + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    local found = entries_after(source, middle - 1, 1)[1]
    if not found or tonumber(found[2][4]) >= since then
      high = middle
    else
      low = offset_of(found) + 1
    end
  end
  return low - 1
end
