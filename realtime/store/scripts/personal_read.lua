-- Tell a user's devices how far the user has read a room, which ends a mark as unread.
-- KEYS[1] log - stream
-- KEYS[2] meta - hash
-- KEYS[3] mine - hash: settings by room
-- ARGV[1] channel - of the user
-- ARGV[2] publish_command - PUBLISH or SPUBLISH
-- ARGV[3] uid - of the event, unique
-- ARGV[4] log_limit - events that the log keeps at most
-- ARGV[5] log_bytes - bytes of events that it keeps, roughly
-- ARGV[6] log_age_ms - milliseconds that it keeps an event at most
-- ARGV[7] keep_seconds - how long the log is kept after its last event
-- ARGV[8] room - id
-- ARGV[9] message - lastReadMessage; 0 if it is not to be told
-- USES numbers, log, personal
-- Returns 1

local log, meta, mine = KEYS[1], KEYS[2], KEYS[3]
local room, message = ARGV[8], ARGV[9]
local told = {ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]}
local failed

local letters = redis.call('HGET', mine, room)
if letters and string.find(letters, 'u', 1, true) then
  letters = string.gsub(letters, 'u', '')
  redis.call('HSET', mine, room, letters)
  failed = tell_user(log, meta, 'room_mine', settings_of(room, letters), told)
end
-- A repeated request is told once, as long as no other room was read in between.
local read = room .. ' ' .. message
if not failed and message ~= '0' and redis.call('HGET', meta, 'read') ~= read then
  -- Of two events in one step the second has the uid with a letter more.
  told[3] = told[3] .. 'r'
  failed = tell_user(log, meta, 'read_mine',
    '"room":"' .. room .. '","lastReadMessage":' .. message, told)
  if not failed then
    redis.call('HSET', meta, 'read', read)
  end
end
return failed or 1
