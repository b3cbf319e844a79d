-- Return what a room's notes say of a user: reports, and what was done by or to them.
-- When told to, their name is taken out of it, with what carries words of theirs.
-- KEYS[1] audit - stream: what was done, by whom
-- KEYS[2] reports - stream
-- KEYS[3] invites - hash
-- KEYS[4] meta - hash
-- KEYS[5] blocks - set: which of a direct room's two block the other
-- ARGV[1] user - id
-- ARGV[2] user_json - the same, JSON
-- ARGV[3] erased - who stands in their place; empty: nothing is changed
-- USES numbers, invites
-- Returns {{act, ...}, {report, ...}}, as they are stored

local audit, reports, invites, meta, blocks = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local user, user_json, erased = ARGV[1], ARGV[2], ARGV[3]
-- Within a string of JSON both quotation marks would be escaped.
local MARKS = {'"user":' .. user_json, '"by":' .. user_json}

local function names(text)
  return string.find(text, MARKS[1], 1, true) or string.find(text, MARKS[2], 1, true)
end

local function without_name(text)
  for place, mark in ipairs(MARKS) do
    local other = (place == 1 and '"user":"' or '"by":"') .. erased .. '"'
    local from, to = string.find(text, mark, 1, true)
    while from do
      text = string.sub(text, 1, from - 1) .. other .. string.sub(text, to + 1)
      from, to = string.find(text, mark, from + #other, true)
    end
  end
  return text
end

local acts, told, gone = {}, {}, {}
local noted = redis.call('XRANGE', audit, '-', '+')
for _, entry in ipairs(noted) do
  if names(entry[2][2]) then
    acts[#acts + 1] = entry[2][2]
  end
end
for _, entry in ipairs(redis.call('XRANGE', reports, '-', '+')) do
  if names(entry[2][2]) then
    told[#told + 1], gone[#gone + 1] = entry[2][2], entry[1]
  end
end
if erased == '' then
  return {acts, told}
end
if #acts > 0 then
  -- A stream's entries cannot be changed: it is written anew, by the same ids.
  local ends_in = redis.call('PTTL', audit)
  redis.call('DEL', audit)
  for _, entry in ipairs(noted) do
    redis.call('XADD', audit, entry[1], 'entry', without_name(entry[2][2]))
  end
  if ends_in > 0 then
    redis.call('PEXPIRE', audit, ends_in)
  end
end
for _, id in ipairs(gone) do
  redis.call('XDEL', reports, id)
end
local links = redis.call('HGETALL', invites)
for place = 1, #links, 2 do
  if select(4, invite_parts(links[place + 1])) == user then
    redis.call('HDEL', invites, links[place])
  end
end
local known = redis.call('HMGET', meta, 'createdBy', 'absent')
if known[1] == user then
  redis.call('HDEL', meta, 'createdBy')
end
if known[2] == user then
  -- The next message of the other one would bring them back.
  redis.call('HDEL', meta, 'absent')
  redis.call('HSET', meta, 'writers', 'blocked')
  redis.call('SADD', blocks, erased)
end
return {acts, told}
