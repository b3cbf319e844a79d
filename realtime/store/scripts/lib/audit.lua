-- What was done to a room and its people, by whom: a stream of events, for its moderators.

-- Acts that are kept, and for how long after the last one, in seconds: 90 days.
local AUDIT_ACTS = 1000
local AUDIT_SECONDS = 7776000

-- Note an act: the bytes of an event, ["<act>",{...,"by":"<user>",...,"at":<Unix ms>}].
local function note_act(audit, bytes)
  redis.call('XADD', audit, 'MAXLEN', AUDIT_ACTS, '*', 'entry', bytes)
  redis.call('EXPIRE', audit, AUDIT_SECONDS)
end

-- Acts of others that may come between a call whose answer was lost and its repetition.
local ACTS_BETWEEN = 20

-- Tell whether the very call that makes the event of this uid was carried out before: its
-- answer was lost, and it was sent again.
local function was_done(audit, uid)
  for _, act in ipairs(redis.call('XREVRANGE', audit, '+', '-', 'COUNT', ACTS_BETWEEN)) do
    if string.find(act[2][2], '"uid":"' .. uid .. '"', 1, true) then
      return true
    end
  end
  return false
end
