"""The Lua scripts: what must be one atomic step in Redis, and nothing else.

Each file begins with one sentence, its ``KEYS`` and ``ARGV`` with their units, and what
it returns. Callers go through the typed functions of the stores.
"""

from importlib.resources import files

from realtime.redis.script import Script


def _read(name: str) -> Script:
    source = (files(__name__) / f"{name}.lua").read_text(encoding="utf-8")
    return Script(name, source)


MESSAGE_LOG_APPEND = _read("message_log_append")
MESSAGE_LOG_READ = _read("message_log_read")
READ_MARKS_RAISE = _read("read_marks_raise")
MEMBERSHIP_ADMIT = _read("membership_admit")
MEMBERSHIP_CLAIM = _read("membership_claim")
MEMBERSHIP_QUIT = _read("membership_quit")
PRESENCE_COUNT = _read("presence_count")
PRESENCE_ENTER = _read("presence_enter")
PRESENCE_LEAVE = _read("presence_leave")
ROOM_STATE_READ = _read("room_state_read")
LEASES_RENEW = _read("leases_renew")
USER_RATES_REPORT = _read("user_rates_report")

ALL = (
    MESSAGE_LOG_APPEND,
    MESSAGE_LOG_READ,
    READ_MARKS_RAISE,
    MEMBERSHIP_ADMIT,
    MEMBERSHIP_CLAIM,
    MEMBERSHIP_QUIT,
    PRESENCE_COUNT,
    PRESENCE_ENTER,
    PRESENCE_LEAVE,
    ROOM_STATE_READ,
    LEASES_RENEW,
    USER_RATES_REPORT,
)
