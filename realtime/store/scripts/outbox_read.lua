-- Claim a room, and read what of it was not passed on yet.
-- KEYS[1] log - stream
-- KEYS[2] ended - stream: what is left of the log of a room that was deleted
-- KEYS[3] meta - hash
-- KEYS[4] messages - hash
-- KEYS[5] deleted - sorted set: numbers of deleted messages
-- KEYS[6] reports - stream
-- ARGV[1] node - who claims
-- ARGV[2] claim_ms - for which nobody else may
-- ARGV[3] since - Unix ms; what is older is passed over
-- ARGV[4] limit - events at most
-- ARGV[5] limit_bytes - no further one is returned from there on
-- ARGV[6] reports_limit - reports at most
-- USES numbers, states, substitutes, outbox
-- Returns {1, offset read up to, events that the log has not any more, {event, ...},
-- {id, report, ...}}, or {0} if another node has claimed it

local log, ended, meta, messages = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local deleted, reports = KEYS[5], KEYS[6]
local node, since, limit = ARGV[1], math.max(1, tonumber(ARGV[3])), ARGV[4]

local known = redis.call('HMGET', meta, 'passed', 'passedReport', 'passedBy', 'deletions')
local by, ends_at = string.match(known[3] or '', '^(%S+) (%d+)$')
if by and by ~= node and tonumber(ends_at) > clock() then
  return {0}
end
local source = redis.call('EXISTS', ended) == 1 and ended or log
local passed = tonumber(known[1] or '0')

local lost = 0
local first = entries_after(source, passed, 1)[1]
if first and tonumber(first[2][4]) < since then
  -- Nobody listened then.
  passed = last_before(source, first, since)
elseif first and known[1] then
  lost = offset_of(first) - passed - 1
end

local events, size = {}, 0
local upto = passed
for index, entry in ipairs(first and entries_after(source, passed, limit) or {}) do
  if size >= tonumber(ARGV[5]) then
    break
  end
  events[index] = entry[2][6]
  size = size + #events[index]
  upto = offset_of(entry)
end
if known[4] then
  substitute_deleted(events, deleted, messages)
end

local told = {}
local last_report = known[2] or digits(since - 1) .. '-0'
for _, entry in ipairs(redis.call('XRANGE', reports, '(' .. last_report, '+', 'COUNT', ARGV[6])) do
  told[#told + 1], told[#told + 2] = entry[1], entry[2][2]
end
if #events > 0 or #told > 0 then
  redis.call('HSET', meta, 'passedBy', node .. ' ' .. digits(clock() + ARGV[2]))
elseif by then
  redis.call('HDEL', meta, 'passedBy')
end
return {1, upto, lost, events, told}
