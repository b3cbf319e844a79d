"""What members report to a room's moderators, and what was done in the room by whom."""

from typing import Any, Final

import orjson

from realtime.rates import too_many
from realtime.redis.client import RedisClient
from realtime.store import keys, scripts
from realtime.store.outbox import Outbox
from realtime.store.refusals import granted
from realtime.store.scripts import Note

# Reports of a user in the time below: nobody has more to tell who means it.
USER_REPORTS: Final = 20
USER_REPORTS_SECONDS: Final = 24 * 3_600

# Reports of a room; the oldest ones make room.
ROOM_REPORTS: Final = 500

# How long reports are kept, with the words that they are about, 90 days: long enough
# to look into one, and not for ever.
REPORTS_SECONDS: Final = 90 * 24 * 3_600


class Reports:
    """Keeps reports, and reads them and the audit list to moderators.

    Args:
        redis: The client that carries commands out.
        outbox: Where reports are noted for those who pass them on.
    """

    def __init__(self, redis: RedisClient, outbox: Outbox) -> None:
        self._redis = redis
        self._outbox = outbox

    async def add(
        self,
        *,
        room: str,
        by: str,
        message: int | None,
        user: str | None,
        reason: str,
    ) -> None:
        """Keep a report of a message, with its words as they are now, or of a user.

        Raises:
            ForbiddenError: Who reports is no member.
            NotFoundError: There is no such message, or they may not see it.
            RateLimitedError: They reported too much lately.
        """
        wait_ms = await scripts.user_reports_take(
            self._redis,
            user_reports=keys.user_reports(by),
            limit=USER_REPORTS,
            seconds=USER_REPORTS_SECONDS,
        )
        if wait_ms:
            raise too_many(wait_ms / 1000, "rate_reports")
        told: dict[str, object] = {"by": by, "reason": reason}
        if message is not None:
            # The author is who wrote it.
            told["message"] = message
        else:
            told["user"] = user
        if self._outbox.active and not self._outbox.is_marked(room):
            await self._outbox.mark(room)
        done = await scripts.report_add(
            self._redis,
            members=keys.members(room),
            messages=keys.messages(room),
            reports=keys.reports(room),
            user=by,
            message=message or 0,
            body=orjson.dumps(told)[1:-1],
            limit=ROOM_REPORTS,
            keep_seconds=REPORTS_SECONDS,
        )
        granted(done)
        if self._outbox.active:
            self._outbox.wrote(room)

    async def of_room(
        self, *, room: str, user: str, before: str | None, limit: int
    ) -> list[Note]:
        """Return reports of a room, JSON objects, the newest first.

        Raises:
            ForbiddenError: The user is no moderator of the room.
        """
        return await self._read(keys.reports(room), room, user, before, limit)

    async def acts(
        self, *, room: str, user: str, before: str | None, limit: int
    ) -> list[Note]:
        """Return what was done in a room, the events of it, the newest first.

        Raises:
            ForbiddenError: The user is no moderator of the room.
        """
        return await self._read(keys.audit(room), room, user, before, limit)

    async def _read(
        self, notes: str, room: str, user: str, before: str | None, limit: int
    ) -> list[Note]:
        found = await scripts.room_notes_read(
            self._redis,
            members=keys.members(room),
            notes=notes,
            user=user,
            before=before or "+",
            limit=limit,
        )
        return granted(found)


def act(note: Note) -> dict[str, Any]:
    """Return an act as moderators are told of it: what, when, by whom, and the rest."""
    name, event = orjson.loads(note.said)
    details = {
        key: value
        for key, value in event.items()
        if key not in ("offset", "uid", "room", "by", "at")
    }
    return {
        "id": note.id,
        "act": name,
        "by": event["by"],
        "at": event["at"],
        "details": details,
    }
