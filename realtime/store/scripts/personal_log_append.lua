-- Tell a user's devices something, by their personal log.
-- KEYS[1] log - stream
-- KEYS[2] meta - hash
-- ARGV[1] channel - of the user
-- ARGV[2] publish_command - PUBLISH or SPUBLISH
-- ARGV[3] uid - of the event, unique
-- ARGV[4] log_limit - events that the log keeps at most
-- ARGV[5] log_bytes - bytes of events that it keeps, roughly
-- ARGV[6] log_age_ms - milliseconds that it keeps an event at most
-- ARGV[7] keep_seconds - how long the log is kept after its last event
-- ARGV[8] name - of the event
-- ARGV[9] body - the event's own JSON members, no braces
-- USES numbers, log, personal
-- Returns 1

local log, meta = KEYS[1], KEYS[2]
local told = {ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]}

return tell_user(log, meta, ARGV[8], ARGV[9], told) or 1
