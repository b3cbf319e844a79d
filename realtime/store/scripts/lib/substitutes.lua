-- Events of messages that were deleted since: their words are read to nobody any more.
-- Needs states.

-- The events that carry words: name, offset to number, offset, uid and number.
local WORDED = '^%["(message[_edit]*)",({"offset":(%d+),"uid":"([%w_-]+)","message":(%d+),)'

-- Replace the events of deleted messages by what is left of these; the two forms are
-- those of realtime/store/events.py, which does the same in the memory of nodes.
local function substitute_deleted(events, deleted, messages)
  local numbers, places = {}, {}
  for place, event in ipairs(events) do
    local number = select(5, string.match(event, WORDED))
    if number then
      numbers[#numbers + 1], places[#places + 1] = number, place
    end
  end
  if #numbers == 0 then
    return
  end
  for index, found in ipairs(redis.call('ZMSCORE', deleted, unpack(numbers))) do
    if found then
      local place = places[index]
      local event = events[place]
      local state = redis.call('HGET', messages, numbers[index])
      local name, head = string.match(event, WORDED)
      if name == 'message' then
        if not state then
          local whole = string.sub(event, 12, -2)
          state = head_of(whole) .. ',"at":' .. times_of(whole) .. ',"type":"deleted"}'
        end
        events[place] = '["message",' .. state .. ']'
      else
        local _, room = string.match(string.sub(event, #name + 5), STATE_HEAD)
        local by = state and string.match(state, ',"deleted":{(.*)},"rev":%d+}$')
        events[place] = '["message_deleted",' .. head .. room
          .. (by or string.match(event, '("at":%d+)}%]$')) .. '}]'
      end
    end
  end
end
