"""A join whose answers are there: an ack, and a session in the fan-out, in one step."""

from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import Any, NamedTuple, Protocol

import orjson

from realtime.errors import UnavailableError
from realtime.rooms.allowance import Allowance
from realtime.rooms.feed import Entry, RoomFeed
from realtime.rooms.recovery import Past
from realtime.store import events
from realtime.store.room_snapshot import RoomSnapshot
from realtime.store.scripts import Admission, RoomSettings

# Names and numbers of a room's answer, beside its events and who is there.
JOIN_BYTES = 400

# Makes an event from the log fit to be shown now (fresh image URLs).
Present = Callable[[bytes], bytes]


class Answers(NamedTuple):
    """What Redis said of the room after the entry began."""

    admission: Admission
    state: RoomSnapshot
    past: Past


class Entering(Protocol):
    """A session that was admitted and is not in the fan-out yet."""

    feed: RoomFeed
    entry: Entry

    def enter(self, admitted_at: int) -> None:
        """Put the session into the fan-out.

        Args:
            admitted_at: Offset of the log's top when its user was admitted.
        """
        ...

    def stay_out(self) -> None:
        """Have it attend no longer, if it did."""
        ...

    def close(self) -> None:
        """End the way in."""
        ...


class PendingJoin:
    """What :meth:`finish` turns into an ack and a session in the fan-out.

    ``finish`` or ``cancel`` must be called, once.

    Args:
        user: Whose session it is.
        entering: Its way in.
        answers: Where the user stands, and the events up to the entry's start.
        allowance: What the ack may have.
        present: Applied to each event.
    """

    def __init__(
        self,
        user: str,
        entering: Entering,
        answers: Answers,
        allowance: Allowance,
        present: Present,
    ) -> None:
        self._user = user
        self._entering = entering
        self._answers = answers
        self._allowance = allowance
        self._present = present

    def finish(self) -> dict[str, object]:
        """Put the session into the fan-out and return its ack.

        Synchronous: the ack must be written in the same step. It then precedes the
        room's first live event, its ``events`` reach exactly up to that, and its
        ``reads`` and ``online`` are those of this moment.

        If all that was missed is too much for the ack it has the first part, says
        ``more`` and where that ends, and the session does not attend: what it would
        hear has a hole before it. It joins again, from there.

        Raises:
            UnavailableError: The room moved on too fast, its log broke, the session
                asked again meanwhile, or there is no place for the answer.
            NotAttendingError: The session ended meanwhile.
        """
        entering, (admission, state, past) = self._entering, self._answers
        entry, cursor = entering.entry, entering.feed.position
        try:
            if entry.broken or self._is_put_out(entry.tail, admission.offset):
                raise UnavailableError("The room changed meanwhile; join again.")
            state.apply([*entry.notices, *entry.tail])
            standing = {
                name: orjson.dumps(value) for name, value in state.to_wire().items()
            }
            missed = [*past.events, *([] if past.more else entry.tail)]
            if entry.tail:
                missed = [*events.without_deleted(missed, entry.tail)]
            told = self._fitting(missed, standing)
            more = past.more or (past.recovered and len(told) < len(missed))
            if more:
                cursor, _ = events.as_log_event(told[-1])
                entering.stay_out()
            else:
                entering.enter(admission.offset)
        finally:
            entering.close()
        last_read = max(admission.last_read_message, state.announced_mark(self._user))
        last_message = max(
            admission.last_message, events.last_message(entry.tail), last_read
        )
        record, settings = orjson.loads(admission.record), admission.settings
        since = record.get("since", 1)
        # What has no words is told of older messages as well, as to who is here.
        words = [events.worded_number(each) or since for each in told if since > 1]
        is_cut = any(number < since for number in words)
        shown = events.messages_since(told, since) if is_cut else told
        return {
            "room": entering.feed.room,
            "cursor": str(cursor),
            # Who came anew sees nothing of the time before, whatever their cursor was.
            "recovered": past.recovered and not is_cut,
            **({"more": True} if more else {}),
            "events": [orjson.Fragment(self._present(event)) for event in shown],
            **_standing(record, settings),
            "since": since,
            "lastMessage": last_message,
            "lastReadMessage": last_read,
            "unread": self._unread(last_message, last_read),
            "unreadMentions": self._unread_mentions(last_message, last_read),
            "pins": self._pins(),
            **{name: orjson.Fragment(value) for name, value in standing.items()},
        }

    def _is_put_out(self, passed: list[bytes], admitted_at: int) -> bool:
        """Tell whether what passed put the user out after they were admitted."""
        return any(
            events.put_out(event) == self._user
            and events.as_log_event(event)[0].offset > admitted_at
            for event in passed
        )

    def _unread(self, last_message: int, last_read: int) -> int:
        """Return what is unread by now: deleted messages are not."""
        admission = self._answers.admission
        above = admission.last_message - admission.last_read_message
        # Those that count for nothing, of which some may have been passed by the mark.
        left = above - admission.unread - (last_read - admission.last_read_message)
        gone = {
            number
            for event in self._entering.entry.tail
            if (number := events.deleted_number(event)) is not None
            and number > last_read
            and events.as_log_event(event)[0].offset > admission.offset
        }
        return max(0, last_message - last_read - max(0, left) - len(gone))

    def _unread_mentions(self, last_message: int, last_read: int) -> int:
        """Return how many messages above the mark mention the user, by now."""
        admission = self._answers.admission
        if last_read >= last_message:
            return 0
        came = sum(
            number > max(admission.last_message, last_read)
            for event in self._entering.entry.tail
            if (number := events.mentioning(event, self._user))
        )
        return admission.unread_mentions + came

    def _pins(self) -> list[int]:
        """Return the pinned messages by now, in the order of their pins."""
        pins = dict.fromkeys(self._answers.admission.pins)
        for name, payload in events.decode(self._entering.entry.tail):
            if name == events.PIN and payload["on"]:
                pins[payload["message"]] = None
            elif name in (events.PIN, events.MESSAGE_DELETED):
                pins.pop(payload["message"], None)
        return [*pins]

    def cancel(self) -> None:
        """Give the join up."""
        self._entering.close()

    def _fitting(
        self, missed: list[bytes], standing: Mapping[str, bytes]
    ) -> list[bytes]:
        """Return the events that the ack has a place for, at least one of them.

        The first ones of what was missed, the newest ones of the newest page.

        Raises:
            UnavailableError: There is no place for it behind other answers, or other
                rooms of this one.
        """
        allowance, past = self._allowance, self._answers.past
        parts = (*standing.values(), *self._answers.admission.settings)
        size = JOIN_BYTES + sum(map(len, parts))
        if not past.more and allowance.fits(size + sum(map(len, missed))):
            return missed
        allowance.require_line()
        if not past.recovered and allowance.is_used:
            raise allowance.full()
        if not missed:
            allowance.take(size)
            return []
        first, *others = missed if past.recovered else missed[::-1]
        allowance.take(size + len(first))
        kept = [first, *takewhile(lambda event: allowance.fits(len(event)), others)]
        return kept if past.recovered else kept[::-1]


def _standing(record: Mapping[str, Any], settings: RoomSettings) -> dict[str, object]:
    """Return what the room is set to, and what the member may do in it."""
    return {
        "kind": settings.kind.decode() or "public",
        "name": settings.name.decode() or None,
        "topic": settings.topic.decode() or None,
        "data": orjson.Fragment(settings.data or b"null"),
        "role": record["role"],
        "history": settings.history.decode() or "all",
        # What keeps the two of a direct room from writing is no setting of it.
        "writers": "moderators" if settings.writers == b"moderators" else "members",
        "invite": settings.invite.decode() or "moderators",
        "slow": int(settings.slow or 0),
        "rv": int(settings.rv or 0),
        "mutedUntil": record.get("mutedUntil"),
    }
