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

    @property
    def now(self) -> dict[str, Any]:
        return self.states[max(self.states)]

    @property
    def deleted_at(self) -> int:
        """Offset of its deletion, 0 if there is none."""
        return max(self.states) if "deleted" in self.now else 0


@dataclass(slots=True)
class _Room:
    messages: dict[int, _Message] = field(default_factory=dict)
    # By user, message, key and whether it was set.
    reactions: dict[tuple[object, ...], list[LogEntry]] = field(default_factory=dict)
    pins: list[int] = field(default_factory=list)
    title: str | None = None
    wrong: list[str] = field(default_factory=list)


def check_states(
    histories: Sequence[History], log: FinalLog, anew: Sequence[Span] = ()
) -> Iterator[Violation]:
    """Compare what clients were told of messages with what the log makes of them.

    Args:
        histories: Of all clients, with a last look at the whole history.
        log: The room at the end, with all events.
        anew: Times in which the log lost a tail: what was told then may be of it.
    """
    room = _fold(log)
    for text in room.wrong:
        yield Violation("state", log.room, text)
    if log.pins is not None and log.pins != room.pins:
        text = f"the pins are {log.pins}, where the log says {room.pins}"
        yield Violation("state", log.room, text)
    if log.title != room.title:
        text = f"the name is {log.title}, where the log says {room.title}"
        yield Violation("state", log.room, text)
    for text in _note_acks(room, histories, log, anew):
        yield Violation("changed", log.room, text)
    for history in histories:
        for at, asked_at, state, is_page in _told(history, log.room):
            if is_near(anew, asked_at or at, at):
                continue
            for rule, text in _wrong(room, state, asked_at, is_page=is_page):
                yield Violation(rule, log.room, f"{history.client} {text}")


def _fold(log: FinalLog) -> _Room:
    """Apply the log's events, and note what none of them may do."""
    room = _Room()
    for entry in log.entries:
        more, known = entry.more, room.messages.get(entry.more.get("message", 0))
        if entry.message:
            words = entry.client_id if entry.words == UNNAMED else entry.words
            room.messages[entry.message] = _Message({0: {"words": words, **more}})
        elif entry.name == "room_changed":
            room.title = more["name"]
        elif entry.name == "pin":
            room.pins = [each for each in room.pins if each != more["message"]]
            room.pins += [more["message"]] if more["on"] else []
        elif known is not None:
            if entry.name == "reaction":
                reaction = (more["user"], more["message"], more["key"], more["on"])
                room.reactions.setdefault(reaction, []).append(entry)
            if known.deleted_at:
                room.wrong.append(f"{_of(entry)} comes after its deletion")
            elif text := _change(known, entry):
                room.wrong.append(f"{_of(entry)} {text}")
            if entry.name == "message_deleted" and more["message"] in room.pins:
                room.pins.remove(more["message"])
    return room


def _change(message: _Message, entry: LogEntry) -> str:
    """Add the state that an event makes; return what is wrong with it."""
    state, more = {**message.now, "rev": entry.offset}, entry.more
    message.states[entry.offset] = state
    if entry.name == "message_edited":
        state |= {"words": entry.words, "edits": state.get("edits", 0) + 1}
        return (
            "" if more["edits"] == state["edits"] else f"is its {state['edits']}. one"
        )
    if entry.name == "message_deleted":
        by = {name: more[name] for name in ("by", "reason", "at") if name in more}
        left = {"words": "", "deleted": by, "rev": entry.offset, "at": state.get("at")}
        message.states[entry.offset] = left
        return ""
    users = message.reactors.setdefault(more["key"], set())
    is_new = (more["user"] in users) is not more["on"]
    (users.add if more["on"] else users.discard)(more["user"])
    counts = {key: len(each) for key, each in message.reactors.items() if each}
    state.pop("reactions", None)
    state |= {"reactions": counts} if counts else {}
    if is_new and more["count"] == len(users):
        return ""
    return f"tells {more['count']}, where {sorted(users)} have reacted"


def _note_acks(
    room: _Room, histories: Sequence[History], log: FinalLog, anew: Sequence[Span]
) -> Iterator[str]:
    """Note when each change was acknowledged; yield what was and is not there.

    An edit's and a deletion's event is looked for by :mod:`.sends`. A reaction's is any
    of this user that tells what the ack does.
    """
    for history in histories:
        asked: dict[str, Sent] = {}
        for record in history.records:
            if isinstance(record, Sent) and record.room == log.room:
                asked.setdefault(record.client_id, record)
            elif isinstance(record, Answered) and record.client_id in asked:
                sent = asked[record.client_id]
                if sent.room != record.room or record.outcome is not Outcome.ACKED:
                    continue
                if text := _note_ack(room, history.user, sent, record):
                    if not is_near(anew, sent.at, record.at):
                        yield f"{record.client_id} of {history.user} {text}"


def _note_ack(room: _Room, user: str, sent: Sent, ack: Answered) -> str:
    message = room.messages.get(sent.args.get("message", 0))
    if message is None or sent.name not in ("edit", "delete", "react"):
        return ""
    if sent.name == "react":
        return _note_reaction(room, message, user, sent, ack)
    offset = message.deleted_at if sent.name == "delete" else ack.offset
    if sent.name == "delete" and not offset:
        return f"deleted message {sent.args['message']}, which is there"
    message.acked_at[offset] = min(ack.at, message.acked_at.get(offset, ack.at))
    return ""


def _note_reaction(
    room: _Room, message: _Message, user: str, sent: Sent, ack: Answered
) -> str:
    found = room.reactions.get((user, *sent.args.values()), [])
    if ack.duplicate:
        return ""
    if len(found) == 1:
        message.acked_at[found[0].offset] = ack.at
    if any(each.more["count"] == ack.ack["count"] for each in found):
        return ""
    return f"was counted as {ack.ack['count']}, which no event tells"


def _told(
    history: History, room: str
) -> Iterator[tuple[float, float, dict[str, Any], bool]]:
    """Yield when each state was told and asked for, it, and whether by a page."""
    page_upto = 0
    for record in history.records:
        if isinstance(record, Page) and record.room == room:
            for each in record.messages:
                yield record.at, record.asked_at, _state(each), True
        elif isinstance(record, Shown) and record.room == room:
            members = {name: getattr(record, name) for name in _MEMBERS}
            is_page = bool(record.asked_at) and record.offset <= page_upto
            yield record.at, record.asked_at, _state(members), is_page
        elif isinstance(record, Began) and record.room == room:
            page_upto = record.offset


_MEMBERS = ("offset", "message", "client_id", "name", "words", "more")


def _state(members: dict[str, Any]) -> dict[str, Any]:
    words = members["words"]
    if words == UNNAMED:
        words = members["client_id"]
    return {**members, "words": words}


def _wrong(
    room: _Room, told: dict[str, Any], asked_at: float, *, is_page: bool
) -> Iterator[tuple[str, str]]:
    """Say what is wrong with what was told of a message."""
    number = told["message"] or told["more"].get("message", 0)
    message = room.messages.get(number)
    if message is None:
        return
    rev = told["more"].get("rev", 0) if told["message"] else told["offset"]
    name = (
        f"was told message {number} (words of {told['words'] or 'nobody'}, rev {rev})"
    )
    if told["message"]:
        due = message.states.get(rev)
        if due != {"words": told["words"], **told["more"]}:
            yield "state", f"{name} as {told['more']}, where the log says {due}"
    missed = [
        offset
        for offset, acked_at in message.acked_at.items()
        if acked_at < asked_at
        and offset > rev
        and (is_page or (told["words"] and offset == message.deleted_at))
    ]
    if missed:
        late = asked_at - message.acked_at[missed[0]]
        rule = "deleted" if message.deleted_at in missed else "changed"
        what = message.states[missed[0]]
        yield rule, f"{name} {late:.3f} s after {what} was acknowledged"


def is_near(spans: Sequence[Span], begun_at: float, at: float) -> bool:
    """Tell whether something was under way when the log lost a tail, or soon after."""
    return any(
        begun_at <= end + TOLD_SECONDS and start - TAIL_SECONDS <= at
        for start, end in spans
    )


def _of(entry: LogEntry) -> str:
    about = entry.more.get("message")
    return f"{entry.name} of message {about} at offset {entry.offset}"
