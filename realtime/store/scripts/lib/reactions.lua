-- Who has reacted, and the counts that a client is shown: JSON of keys and numbers. Needs
-- numbers.

-- Return what stands for a user's reaction among all of a room; its message's come first.
local function reactor_of(message, key, user)
  local quoted = string.gsub(cjson.decode('[' .. key .. ']')[1], '[^%w_.~-]',
    function(character)
      return string.format('%%%02X', string.byte(character))
    end)
  return string.format('%016.0f:', tonumber(message)) .. quoted .. ':' .. user
end

-- Return where a key, JSON, stands in counts: from and to; nil where it does not.
local function place_of(counts, key)
  -- A key begins behind a brace or comma: no other one can end like it.
  local from, to = string.find(counts, '{' .. key .. ':', 1, true)
  if not from then
    from, to = string.find(counts, ',' .. key .. ':', 1, true)
  end
  return from, to
end

-- Return how many have reacted with a key.
local function count_of(counts, key)
  local _, to = place_of(counts, key)
  return to and tonumber(string.match(counts, '^%d+', to + 1)) or 0
end

-- Return counts with another number for a key; with 0 without it.
local function recounted(counts, key, count)
  local from, to = place_of(counts, key)
  local before = from and string.sub(counts, 1, from - 1) or string.sub(counts, 1, -2)
  local after = from and string.match(counts, '^%d+(.*)$', to + 1) or '}'
  if count > 0 then
    local mark = from and string.sub(counts, from, from) or (counts == '{}' and '' or ',')
    return before .. mark .. key .. ':' .. digits(count) .. after
  elseif from == 1 then
    return '{' .. string.gsub(after, '^,', '')
  end
  return before .. after
end
