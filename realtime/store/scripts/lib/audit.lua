-- What was done to a room and its people, by whom: a stream of events, for its moderators.

-- Acts that are kept, and for how long after the last one, in seconds: 90 days.
local AUDIT_ACTS = 1000
local AUDIT_SECONDS = 7776000

-- Note an act: the bytes of an event, ["<act>",{...,"by":"<user>",...,"at":<Unix ms>}].
local function note_act(audit, bytes)
  redis.call('XADD', audit, 'MAXLEN', AUDIT_ACTS, '*', 'entry', bytes)
  redis.call('EXPIRE', audit, AUDIT_SECONDS)
end
