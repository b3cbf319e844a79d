-- Messages as the history keeps them: JSON in its present state. Needs numbers.

-- What every state begins with, whatever became of the message since.
local STATE_HEAD = '^({"offset":%d+,"uid":"[%w_-]+","message":%d+,("room":"[%w_-]+",)"user":)'

-- Return a state from its brace to its user, its member "room" and its user, JSON.
local function head_of(state)
  local head, room = string.match(state, STATE_HEAD)
  local place = #head + 2
  while true do
    place = string.find(state, '["\\]', place)
    if string.sub(state, place, place) == '"' then
      local user = string.sub(state, #head + 1, place)
      return head .. user, room, user
    end
    place = place + 2
  end
end

-- Return a message's time, edits and the offset of its last change, 0 if it has none,
-- as digits; nil for a deleted one, which has another end.
local function times_of(state)
  local at = string.match(state, ',"at":(%d+)}$')
  if at then
    return at, '0', '0'
  end
  return string.match(state, ',"at":(%d+),"editedAt":%d+,"edits":(%d+),"rev":(%d+)}$')
end

-- Return a state with what is reacted to it, "<rev> <counts>", as a client is shown it.
local function with_reactions(state, reacted)
  if not reacted then
    return state
  end
  local rev, counts = string.match(reacted, '^(%d+) (.+)$')
  local own = string.match(state, ',"rev":(%d+)}$')
  local shown = string.sub(state, 1, own and -(#own + 9) or -2)
  if counts ~= '{}' then
    shown = shown .. ',"reactions":' .. counts
  end
  local last = math.max(tonumber(rev), tonumber(own or '0'))
  return shown .. (last > 0 and ',"rev":' .. digits(last) or '') .. '}'
end
