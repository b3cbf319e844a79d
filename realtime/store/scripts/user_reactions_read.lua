-- Read some of a room's reactions, and return those of a user.
-- KEYS[1] reactors - sorted set of "<number, 16 digits>:<key, quoted>:<user>"
-- ARGV[1] user - id
-- ARGV[2] after - what the last reading ended with; empty: from the beginning
-- ARGV[3] limit - reactions that are looked at
-- Returns {what to go on after, empty: all was looked at, {number, quoted key, ...}}

local looked_at = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[2] == '' and '-' or '(' .. ARGV[2], '+',
  'LIMIT', 0, ARGV[3])
local found = {}
for _, each in ipairs(looked_at) do
  local number, key, user = string.match(each, '^(%d+):([^:]*):(.*)$')
  if user == ARGV[1] then
    found[#found + 1], found[#found + 2] = tonumber(number), key
  end
end
return {#looked_at == tonumber(ARGV[3]) and looked_at[#looked_at] or '', found}
