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
MESSAGE_LOG_REPEATED = _read("message_log_repeated")
READ_STATE_MARK = _read("read_state_mark")
ROOMS_ADMIT = _read("rooms_admit")
ROOMS_CLAIM = _read("rooms_claim")
ROOMS_QUIT = _read("rooms_quit")
PRESENCE_COUNT = _read("presence_count")
PRESENCE_ENTER = _read("presence_enter")
PRESENCE_LEAVE = _read("presence_leave")
ROOM_STATE_READ = _read("room_state_read")
LEASES_RENEW = _read("leases_renew")
USER_RATES_REPORT = _read("user_rates_report")
IMAGES_CLAIM = _read("images_claim")
IMAGES_CONFIRM = _read("images_confirm")
IMAGES_TAKE = _read("images_take")
IMAGES_DROP = _read("images_drop")
IMAGES_GONE = _read("images_gone")

ALL = (
    MESSAGE_LOG_APPEND,
    MESSAGE_LOG_READ,
    MESSAGE_LOG_REPEATED,
    READ_STATE_MARK,
    ROOMS_ADMIT,
    ROOMS_CLAIM,
    ROOMS_QUIT,
    PRESENCE_COUNT,
    PRESENCE_ENTER,
    PRESENCE_LEAVE,
    ROOM_STATE_READ,
    LEASES_RENEW,
    USER_RATES_REPORT,
    IMAGES_CLAIM,
    IMAGES_CONFIRM,
    IMAGES_TAKE,
    IMAGES_DROP,
    IMAGES_GONE,
)
