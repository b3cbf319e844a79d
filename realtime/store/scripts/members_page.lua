-- Read a page of a room's members, by the bytes of their ids.
-- KEYS[1] members - hash
-- KEYS[2] member_ids - sorted set: users, all scored 0
-- KEYS[3] online - hash
-- ARGV[1] after - only ids above this one, empty: all
-- ARGV[2] limit - members to return at most
-- Returns {{user, record, online 0|1}, ...}

local members, member_ids, online = KEYS[1], KEYS[2], KEYS[3]

-- Arguments that one command of a script may have, with room to spare.
local AT_ONCE = 1000

-- Whoever is in the set is a member, so it is whole if it has as many: nothing but what
-- was written by versions that had none makes this work.
if redis.call('ZCARD', member_ids) ~= redis.call('HLEN', members) then
  local users = redis.call('HKEYS', members)
  redis.call('DEL', member_ids)
  for first = 1, #users, AT_ONCE do
    local added = {}
    for place = first, math.min(#users, first + AT_ONCE - 1) do
      added[#added + 1] = '0'
      added[#added + 1] = users[place]
    end
    redis.call('ZADD', member_ids, unpack(added))
  end
end
local low = ARGV[1] == '' and '-' or '(' .. ARGV[1]
local page = {}
for place, user in ipairs(redis.call('ZRANGEBYLEX', member_ids, low, '+', 'LIMIT', 0, ARGV[2])) do
  page[place] = {user, redis.call('HGET', members, user), redis.call('HEXISTS', online, user)}
end
return page
