"""The Lua scripts: what must be one atomic step in Redis, and nothing else.

Each has one function here, of its file's name, whose parameters are its ``KEYS`` and
``ARGV`` in their order, by the names of its header, and which returns what the header
says by name. The command is sent when the function is called, awaited or not; all raise
:class:`~realtime.errors.UnavailableError` (nothing was done),
:class:`~realtime.errors.OutcomeUnknownError` (it may have been done) and
:class:`~realtime.redis.connection.ReplyError` (a key holds something else).
"""

from realtime.redis.script import Script
from realtime.store.scripts.images import (
    IMAGES_CLAIM,
    IMAGES_CONFIRM,
    IMAGES_DROP,
    IMAGES_GONE,
    IMAGES_TAKE,
    TakenImages,
    images_claim,
    images_confirm,
    images_drop,
    images_gone,
    images_take,
)
from realtime.store.scripts.loading import Refusal
from realtime.store.scripts.membership import (
    MEMBERSHIP_ADMIT,
    MEMBERSHIP_CLAIM,
    MEMBERSHIP_QUIT,
    Admission,
    Claim,
    membership_admit,
    membership_claim,
    membership_quit,
)
from realtime.store.scripts.message_log import (
    MESSAGE_LOG_APPEND,
    MESSAGE_LOG_MEND,
    MESSAGE_LOG_READ,
    MESSAGE_LOG_REPEATED,
    Appended,
    LogPage,
    message_log_append,
    message_log_mend,
    message_log_read,
    message_log_repeated,
)
from realtime.store.scripts.nodes import (
    LEASES_RENEW,
    USER_RATES_REPORT,
    Lease,
    Wait,
    leases_renew,
    user_rates_report,
)
from realtime.store.scripts.presence import (
    PRESENCE_COUNT,
    PRESENCE_ENTER,
    PRESENCE_LEAVE,
    PresenceChange,
    presence_count,
    presence_enter,
    presence_leave,
)
from realtime.store.scripts.reading import (
    READ_MARKS_RAISE,
    ROOM_SNAPSHOT_READ,
    ROOM_SUMMARY_READ,
    Marks,
    Snapshot,
    Summary,
    read_marks_raise,
    room_snapshot_read,
    room_summary_read,
)

__all__ = (
    "ALL",
    "IMAGES_CLAIM",
    "IMAGES_CONFIRM",
    "IMAGES_DROP",
    "IMAGES_GONE",
    "IMAGES_TAKE",
    "LEASES_RENEW",
    "MEMBERSHIP_ADMIT",
    "MEMBERSHIP_CLAIM",
    "MEMBERSHIP_QUIT",
    "MESSAGE_LOG_APPEND",
    "MESSAGE_LOG_MEND",
    "MESSAGE_LOG_READ",
    "MESSAGE_LOG_REPEATED",
    "PRESENCE_COUNT",
    "PRESENCE_ENTER",
    "PRESENCE_LEAVE",
    "READ_MARKS_RAISE",
    "ROOM_SNAPSHOT_READ",
    "ROOM_SUMMARY_READ",
    "USER_RATES_REPORT",
    "Admission",
    "Appended",
    "Claim",
    "Lease",
    "LogPage",
    "Marks",
    "PresenceChange",
    "Refusal",
    "Snapshot",
    "Summary",
    "TakenImages",
    "Wait",
    "images_claim",
    "images_confirm",
    "images_drop",
    "images_gone",
    "images_take",
    "leases_renew",
    "membership_admit",
    "membership_claim",
    "membership_quit",
    "message_log_append",
    "message_log_mend",
    "message_log_read",
    "message_log_repeated",
    "presence_count",
    "presence_enter",
    "presence_leave",
    "read_marks_raise",
    "room_snapshot_read",
    "room_summary_read",
    "user_rates_report",
)

ALL = tuple(each for each in globals().values() if isinstance(each, Script))
