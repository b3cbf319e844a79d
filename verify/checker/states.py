"""Checks of messages' states: what the log makes of them, whoever looks, whenever."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from verify.checker.shown import TOLD_SECONDS
from verify.history import (
    UNNAMED,
    Answered,
    Began,
    FinalLog,
    History,
    LogEntry,
    Outcome,
    Page,
    Sent,
    Shown,
    Span,
    Violation,
    event_of,
)

# What Redis may not have on disk or at its replicas yet when it ends.
TAIL_SECONDS = 2.0


@dataclass(slots=True)
class _Message:
    """What became of a message: each of its states by the offset that made it."""

    states: dict[int, dict[str, Any]]
    reactors: dict[str, set[str]] = field(default_factory=dict)
    # When each change was acknowledged, by its offset.
    acked_at: dict[int, float] = field(default_factory=dict)
    deleted_at: int = 0

    def change(self, entry: LogEntry) -> str:
        """Add the state that an event makes; return what is wrong with it."""
        if self.deleted_at:
            return "comes after its deletion"
        state = {**self.states[max(self.states)], "rev": entry.offset}
        self.states[entry.offset] = state
        if entry.name == "reaction":
            return self._react(state, entry.more)
        if entry.name == "message_edited":
            state |= {"words": entry.words, "edits": state.get("edits", 0) + 1}
            is_next = entry.more["edits"] == state["edits"]
            return "" if is_next else f"is edit {state['edits']}"
        self.deleted_at = entry.offset
        by = {name: entry.more.get(name) for name in ("by", "reason", "at")}
        by = {name: value for name, value in by.items() if value is not None}
        state |= {"words": "", "deleted": by}
        for gone in ("edits", "reactions"):
            state.pop(gone, None)
        return ""

    def _react(self, state: dict[str, Any], event: dict[str, Any]) -> str:
        users = self.reactors.setdefault(event["key"], set())
        is_new = (event["user"] in users) is not event["on"]
        (users.add if event["on"] else users.discard)(event["user"])
        counts = {key: len(each) for key, each in self.reactors.items() if each}
        state.pop("reactions", None)
        state |= {"reactions": counts} if counts else {}
        if is_new and event["count"] == len(users):
            return ""
        return f"tells {event['count']}, where {sorted(users)} have reacted"


class _Room:
    """A room as its log makes it.

    Attributes:
        messages: By number.
        reactions: Events by user, message, key and whether it was set.
        pins: Numbers of the pinned messages.
        title: The room's name.
        wrong: What no event of the log may do, and one does.
    """

    def __init__(self, log: FinalLog) -> None:
        self.messages: dict[int, _Message] = {}
        self.reactions: dict[tuple[object, ...], list[LogEntry]] = {}
        self.pins: list[int] = []
        self.title: str | None = None
        self.wrong: list[str] = []
        for entry in log.entries:
            self._take(entry)
        for name, told, due in (
            ("pins are", log.pins, self.pins),
            ("name is", log.title, self.title),
        ):
            if told != due and (told is not None or name == "name is"):
                self.wrong.append(f"the {name} {told}, where the log says {due}")

    def _take(self, entry: LogEntry) -> None:
        more, number = entry.more, entry.number
        if entry.message:
            words = entry.client_id if entry.words == UNNAMED else entry.words
            self.messages[entry.message] = _Message({0: {"words": words, **more}})
        elif entry.name == "room_changed":
            self.title = more["name"]
        elif entry.name in ("pin", "message_deleted"):
            self.pins = [each for each in self.pins if each != number]
            self.pins += [number] if more.get("on") else []
        elif entry.name == "reaction":
            named = (more["user"], number, more["key"], more["on"])
            self.reactions.setdefault(named, []).append(entry)
        is_change = not entry.message and entry.name != "pin"
        message = self.messages.get(number) if is_change else None
        if message is not None and (text := message.change(entry)):
            about = f"{entry.name} of message {number} at offset {entry.offset}"
            self.wrong.append(f"{about} {text}")


@dataclass(frozen=True, slots=True)
class _Told:
    """What a client was told of a message, by a state or by an event."""

    at: float
    asked_at: float
    number: int
    rev: int
    # None: of an event that is no message.
    state: dict[str, Any] | None
    words: str
    is_page: bool


def check_states(
    histories: Sequence[History], log: FinalLog, anew: Sequence[Span] = ()
) -> Iterator[Violation]:
    """Compare what clients were told of messages with what the log makes of them.

    Args:
        histories: Of all clients, with a last look at the whole history.
        log: The room at the end, with all events.
        anew: Times in which the log lost a tail: what was told then may be of it.
    """
    room = _Room(log)
    found = [("state", text) for text in room.wrong]
    for history in histories:
        for sent, ack in _acks(history, log.room):
            is_sure = not is_near(anew, sent.at, ack.at)
            if is_sure and (text := _note_ack(room, history.user, sent, ack)):
                name = f"{ack.client_id} of {history.user}"
                found.append(("changed", f"{name} {text}"))
    for history in histories:
        for told in _told(history, log.room):
            if not is_near(anew, told.asked_at or told.at, told.at):
                wrong = _wrong(room, told)
                found += [(rule, f"{history.client} {text}") for rule, text in wrong]
    for rule, text in found:
        yield Violation(rule, log.room, text)


def is_near(spans: Sequence[Span], begun_at: float, at: float) -> bool:
    """Tell whether something was under way when the log lost a tail, or soon after."""
    return any(
        begun_at <= end + TOLD_SECONDS and start - TAIL_SECONDS <= at
        for start, end in spans
    )


def _acks(history: History, room: str) -> Iterator[tuple[Sent, Answered]]:
    """Yield what was acknowledged, with its first attempt."""
    asked: dict[str, Sent] = {}
    for record in history.records:
        if isinstance(record, Sent) and record.room == room:
            asked.setdefault(record.client_id, record)
        elif isinstance(record, Answered) and record.room == room:
            sent = asked.get(record.client_id)
            if sent is not None and record.outcome is Outcome.ACKED:
                yield sent, record


def _note_ack(room: _Room, user: str, sent: Sent, ack: Answered) -> str:
    """Note when a change was acknowledged; say what of it is not in the log.

    An edit's event is looked for by :mod:`.sends`. A reaction's is any of this user
    that tells what the ack does.
    """
    number = sent.args.get("message", 0)
    message, offset = room.messages.get(number), 0
    if message is None or (ack.duplicate and sent.name != "delete"):
        return ""
    if sent.name == "react":
        found = room.reactions.get(
            (user, number, sent.args["key"], sent.args["on"]), []
        )
        if all(each.more["count"] != ack.ack["count"] for each in found):
            return f"was counted as {ack.ack['count']}, which no event tells"
        offset = found[0].offset if len(found) == 1 else 0
    elif sent.name == "edit":
        offset = ack.offset
    elif sent.name == "delete":
        offset = message.deleted_at
        if not offset:
            return f"deleted message {number}, which is there"
    if offset:
        message.acked_at[offset] = min(ack.at, message.acked_at.get(offset, ack.at))
    return ""


def _told(history: History, room: str) -> Iterator[_Told]:
    page_upto = 0
    for record in history.records:
        if isinstance(record, Began) and record.room == room:
            page_upto = record.offset
        elif isinstance(record, Page) and record.room == room:
            for each in record.messages:
                yield _told_by(LogEntry(**each), record, is_page=True)
        elif isinstance(record, Shown) and record.room == room:
            is_page = bool(record.asked_at) and record.offset <= page_upto
            yield _told_by(event_of(record), record, is_page=is_page)


def _told_by(event: LogEntry, record: Page | Shown, *, is_page: bool) -> _Told:
    words = event.client_id if event.words == UNNAMED else event.words
    state = {"words": words, **event.more} if event.message else None
    rev = event.more.get("rev", 0) if event.message else event.offset
    return _Told(record.at, record.asked_at, event.number, rev, state, words, is_page)


def _wrong(room: _Room, told: _Told) -> Iterator[tuple[str, str]]:
    """Say what is wrong with what was told of a message."""
    message = room.messages.get(told.number)
    if message is None:
        return
    name = (
        f"was told message {told.number} ({told.words or 'no words'}, rev {told.rev})"
    )
    if told.state is not None and told.state != (due := message.states.get(told.rev)):
        yield "state", f"{name} as {told.state}, where the log says {due}"
    for offset, acked_at in message.acked_at.items():
        # Recovered events are those of the past, but for words that were deleted.
        is_due = told.is_page or (told.words and offset == message.deleted_at)
        if is_due and acked_at < told.asked_at and told.rev < offset:
            rule = "deleted" if offset == message.deleted_at else "changed"
            late, what = told.asked_at - acked_at, message.states[offset]
            yield rule, f"{name} {late:.3f} s after {what} was acknowledged"
            return
