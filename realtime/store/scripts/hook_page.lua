-- Read an endpoint's queue in order, but for what is tried again later.
-- KEYS[1] queue - stream
-- KEYS[2] later - sorted set: entry to when it is tried again, in Unix ms
-- ARGV[1] after - entry; empty: from the beginning
-- ARGV[2] limit - entries to look at
-- ARGV[3] limit_bytes - no further one is returned from there on
-- Returns {entries in the queue, last entry looked at, {{entry, id, type, room, body}, ...}}

local queue, later = KEYS[1], KEYS[2]
local last = ARGV[1]
local found, size = {}, 0
local from = last == '' and '-' or '(' .. last
for _, entry in ipairs(redis.call('XRANGE', queue, from, '+', 'COUNT', ARGV[2])) do
  if size >= tonumber(ARGV[3]) then
    break
  end
  last = entry[1]
  local is_later = redis.call('ZSCORE', later, last)
  if not is_later then
    local fields = entry[2]
    found[#found + 1] = {last, fields[2], fields[4], fields[6], fields[8]}
    size = size + #fields[8]
  end
end
return {redis.call('XLEN', queue), last, found}
