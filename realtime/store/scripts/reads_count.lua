-- Count the members who have not read messages: those whose marks are below.
-- KEYS[1] last_read - sorted set
-- KEYS[2] meta - hash
-- ARGV[1] numbers - of the messages, a space between them
-- USES numbers, marks
-- Returns {members, ...}, one for each; 0 where there is no such message yet

local last_read, meta = KEYS[1], KEYS[2]

sort_marks(last_read)
local last = tonumber(redis.call('HGET', meta, 'lastMessage') or '0')
local counts = {}
for number in string.gmatch(ARGV[1], '%d+') do
  counts[#counts + 1] = tonumber(number) <= last
    and redis.call('ZCOUNT', last_read, '-inf', '(' .. number) or 0
end
return counts
