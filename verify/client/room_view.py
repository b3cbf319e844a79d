"""A room as a Python client sees it, and what it writes down of it. No I/O."""

import time
from collections.abc import Callable
from typing import Any

from verify.history import Began, Joined, Read, Record, Shown, event_members


class RoomView:
    """One room of one client.

    Attributes:
        attended: Whether the last join was answered, and nothing asks for another one.
        barred: Whether the last join was forbidden.

    Args:
        room: Room id.
        write: Writes a record into the history.
    """

    def __init__(self, room: str, write: Callable[[Record], None]) -> None:
        self.room = room
        self._write = write
        self._cursor: str | None = None
        self.attended = self.barred = False
        self._asked = False
        self._asked_at = 0.0
        self._since = 1
        self._reload = False

    def ask(self) -> dict[str, object]:
        """Return the payload of a join. Until its ack live events are not shown."""
        self._asked, self._asked_at = True, time.monotonic()
        cursor = {} if self._cursor is None else {"cursor": self._cursor}
        return {"room": self.room, **cursor}

    def forget(self) -> None:
        """Begin anew with the next join, unless one is under way."""
        if not self._asked and not self.attended:
            self._cursor = None

    def lost(self) -> None:
        """The connection ended: nothing is attended, nothing is asked."""
        self.attended = self._asked = False

    def joined(self, ack: dict[str, Any]) -> None:
        """Take the ack of a join that succeeded."""
        offset = int(ack["cursor"].partition(":")[0])
        now = time.monotonic()
        self._write(Joined(now, self.room, self._asked_at, offset))
        # Whoever came anew where newcomers see no past has none to resume from.
        cursor = self._cursor if ack["since"] == self._since else None
        self._since = ack["since"]
        if not ack["recovered"]:
            self._write(Began(now, self.room, offset, cursor, self._reload))
        self._reload = self._asked = self.barred = False
        # Else what was missed is more than one answer holds: ask again from its end.
        self.attended = not ack.get("more")
        for name, payload in ack["events"]:
            self._show(name, payload, self._asked_at)
        self._cursor = ack["cursor"]
        self._told_marks(ack)

    def refused(self, error: dict[str, Any]) -> None:
        """Take a refusal: whoever was put out while away begins anew, if they may."""
        if error["code"] == "forbidden":
            self.barred, self._cursor = True, None

    def event(self, name: str, payload: dict[str, Any]) -> None:
        """Take a live event; the room is not attended if it has to be joined again."""
        if self._asked:
            # The ack will tell where the room stands, this event included.
            return
        if name == "membership_ended":
            self.attended, self._cursor = False, None
        elif name == "reload":
            self._cursor = None
            # What comes until the next join belongs to a past that is not known.
            self._reload = self._asked = True
            self.attended = False
        elif name == "read":
            self._told_marks({"reads": {payload["user"]: payload["lastReadMessage"]}})
        elif name == "state":
            self._told_marks(payload)
        elif "offset" in payload:
            self._show(name, payload)

    def _told_marks(self, payload: dict[str, Any]) -> None:
        for user, message in (payload.get("reads") or {}).items():
            self._write(Read(time.monotonic(), self.room, user, message))

    def _show(self, name: str, payload: dict[str, Any], asked_at: float = 0.0) -> None:
        members = event_members(name, payload)
        now = time.monotonic()
        self._write(Shown(now, self.room, **members, asked_at=asked_at))
        self._cursor = f"{payload['offset']}:{payload['uid']}"
