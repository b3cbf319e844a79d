-- Note how far a room was passed on, and give it back where nothing is left.
-- KEYS[1] log - stream
-- KEYS[2] ended - stream: what is left of the log of a room that was deleted
-- KEYS[3] meta - hash
-- KEYS[4] reports - stream
-- ARGV[1] node - who has claimed it
-- ARGV[2] offset - of the last event that was passed on
-- ARGV[3] report - id of the last report that was; empty: none was
-- USES numbers, outbox
-- Returns 1 if something is left, 0 if not, or if the claim is another node's by now

local log, ended, meta, reports = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local known = redis.call('HMGET', meta, 'passedBy', 'passedReport')
if string.match(known[1] or '', '^%S+') ~= ARGV[1] then
  return 0
end
redis.call('HSET', meta, 'passed', ARGV[2])
local report = known[2]
if ARGV[3] ~= '' then
  report = ARGV[3]
  redis.call('HSET', meta, 'passedReport', report)
end
local is_ended = redis.call('EXISTS', ended) == 1
local source = is_ended and ended or log
if #entries_after(source, ARGV[2], 1) > 0 then
  return 1
end
if report and #redis.call('XRANGE', reports, '(' .. report, '+', 'COUNT', 1) > 0 then
  return 1
end
redis.call('HDEL', meta, 'passedBy')
if is_ended then
  redis.call('DEL', ended, reports)
  redis.call('HDEL', meta, 'passed', 'passedReport')
end
return 0
