-- Read what a list of rooms shows of a room, the same for all its members.
-- KEYS[1] meta - hash
-- KEYS[2] messages - hash
-- KEYS[3] members - hash
-- KEYS[4] reactions - hash
-- USES numbers, states
-- Returns {offset, lastMessage, at in Unix ms, members, newest message or '', name or '',
-- kind or ''}; the newest one is left out where not all members may see it

local meta, messages, members, reactions = KEYS[1], KEYS[2], KEYS[3], KEYS[4]

local known = redis.call('HMGET', meta, 'offset', 'lastMessage', 'messageAt',
  'createdAt', 'at', 'newcomersSince', 'reactions', 'name', 'kind')
local last = known[2] or '0'
-- Who came last sees what was said from then on, whatever is set by now.
local newest = tonumber(last) >= tonumber(known[6] or '0') and redis.call('HGET', messages, last)
if newest and known[7] then
  newest = with_reactions(newest, redis.call('HGET', reactions, last))
end
return {tonumber(known[1] or '0'), tonumber(last),
  tonumber(known[3] or known[4] or known[5] or '0'), redis.call('HLEN', members),
  newest or '', known[8] or '', known[9] or ''}
