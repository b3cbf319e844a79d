"""A room as a Python client sees it, and what it writes down of it. No I/O."""

import time
from collections.abc import Callable
from typing import Any

from verify.history import Began, Read, Record, Shown

# Written down in place of the clientId when a text is not what was sent.
GARBLED = "garbled"

# In a text, for the clientId that its sender's client had still to choose.
UNNAMED = "*"


class RoomView:
    """One room of one client.

    Attributes:
        attended: Whether the last join was answered, and nothing asks for another one.

    Args:
        room: Room id.
        write: Writes a record into the history.
    """

    def __init__(self, room: str, write: Callable[[Record], None]) -> None:
        self.room = room
        self._write = write
        self._cursor: str | None = None
        self.attended = False
        self._asked = False
        self._reload = False

    def ask(self) -> dict[str, object]:
        """Return the payload of a join. Until its ack live events are not shown."""
        self._asked = True
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
        if not ack["recovered"]:
            offset = int(ack["cursor"].partition(":")[0])
            now = time.monotonic()
            self._write(Began(now, self.room, offset, self._cursor, self._reload))
        self._reload = self._asked = False
        # Else what was missed is more than one answer holds: ask again from its end.
        self.attended = not ack.get("more")
        for name, payload in ack["events"]:
            self._show(name, payload)
        self._cursor = ack["cursor"]
        self._told_marks(ack)

    def event(self, name: str, payload: dict[str, Any]) -> None:
        """Take a live event; the room is not attended if it has to be joined again."""
        if self._asked:
            # The ack will tell where the room stands, this event included.
            return
        if name == "reload":
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

    def _show(self, name: str, payload: dict[str, Any]) -> None:
        offset, uid = payload["offset"], payload["uid"]
        message, user, client_id = 0, "", ""
        if name == "message":
            message, user = payload["message"], payload["user"]
            client_id = _client_id(payload)
        now = time.monotonic()
        self._write(Shown(now, self.room, offset, uid, message, user, client_id))
        self._cursor = f"{offset}:{uid}"


def text_of(client_id: str, length: int) -> str:
    """Return a text that tells whether it arrived as it was sent."""
    return f"{client_id}/{'x' * length}/{length}"


def _client_id(payload: dict[str, Any]) -> str:
    client_id, _, rest = str(payload.get("text")).partition("/")
    filling, _, length = rest.partition("/")
    # A message that was deleted since has none.
    own = str(payload.get("clientId", ""))
    named = client_id in (own, UNNAMED)
    whole = named and str(len(filling)) == length
    return own if whole else GARBLED
