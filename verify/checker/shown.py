"""Checks of what was shown: the log from its first number on, once and in order."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from itertools import zip_longest

from verify.history import (
    Began,
    FinalLog,
    History,
    LogEntry,
    Shown,
    Span,
    Violation,
    event_of,
    place_of,
)

# Offset and uid of an event.
Position = tuple[int, str]

# Deadline after a lost tail within which all who show it are told.
TOLD_SECONDS = 8.0


@dataclass(slots=True)
class _View:
    """What a client showed of a room since it began to, and since when."""

    began: Began
    shown: list[Shown] = field(default_factory=list)


def check_shown(
    histories: Sequence[History],
    log: FinalLog,
    *,
    anew: Sequence[Span] = (),
    complete: bool = True,
) -> Iterator[Violation]:
    """Compare what each client showed of a room with its log.

    Args:
        histories: Of all clients.
        log: The room at the end.
        anew: Times in which the log lost a tail: clients had to be told to begin
            anew, and the end of what they showed before may be what was lost.
        complete: Whether all clients had the time to catch up before the end.
    """
    kept = {_position(entry) for entry in log.entries}
    for history in histories:
        views = _views(history, log.room)
        last: Position | None = None
        for index, view in enumerate(views):
            is_last = index == len(views) - 1
            during = any(a <= view.began.at <= b + TOLD_SECONDS for a, b in anew)
            after_loss = any(start <= view.began.at for start, _ in anew)
            if not during and (not after_loss or last in kept):
                for text in _anew_without_need(view.began):
                    yield Violation("continuity", log.room, f"{history.client} {text}")
            if view.shown:
                last = _position(view.shown[-1])
            past: list[Shown] = []
            if anew and not is_last:
                view, past = _parted(view, kept)
            text = _not_one_past(view, past, kept) or _difference(
                log, view, to_end=is_last and complete
            )
            if text:
                yield Violation("shown", log.room, f"{history.client} {text}")


def _views(history: History, room: str) -> list[_View]:
    views: list[_View] = []
    for record in history.records:
        if isinstance(record, Began) and record.room == room:
            views.append(_View(record))
        elif isinstance(record, Shown) and record.room == room:
            if not views:
                views.append(_View(Began(record.at, room, record.offset - 1)))
            views[-1].shown.append(record)
    return views


def _anew_without_need(began: Began) -> Iterator[str]:
    if began.reload:
        yield "was told to reload, but the log lost nothing"
    elif began.refused_cursor is not None:
        yield f"could not resume from {began.refused_cursor}, which the log holds"


def _parted(view: _View, kept: Set[Position]) -> tuple[_View, list[Shown]]:
    """Part a view at the first event that the log does not hold any more."""
    for index, seen in enumerate(view.shown):
        if _position(seen) not in kept:
            return _View(view.began, view.shown[:index]), view.shown[index:]
    return view, []


def _not_one_past(view: _View, past: list[Shown], kept: Set[Position]) -> str:
    """What was lost was one past too, up to where the client was told."""
    before = view.shown[-1].offset if view.shown else None
    for seen in past:
        if _position(seen) in kept:
            lost = f"{_name(past[0])} (uid {past[0].uid})"
            return f"saw {_name(seen)} after {lost}, which was lost, and was not told"
        if before is not None:
            paged = seen.offset <= view.began.offset
            # Between the page's last message and the cursor there may be other events.
            next_one = max(before, view.began.offset) + 1
            follows = seen.offset > before if paged else seen.offset == next_one
            if not follows:
                return f"saw {_name(seen)} after offset {before}, in a lost past"
        before = seen.offset
    return ""


def _difference(log: FinalLog, view: _View, *, to_end: bool) -> str:
    """Say where a view first differs from the log; later ones follow from it."""
    expected = _expected(log, view)
    shown = [each for each in view.shown if each.message or not log.messages_only]
    for index, (seen, due) in enumerate(zip_longest(shown, expected)):
        if seen is None:
            until = f"{_name(due)} and what follows, to {_name(expected[-1])}"
            return f"never saw {until}" if to_end else ""
        if due is None or not _is_same(log, seen, due):
            return _said(log, shown[:index], seen, due)
    return ""


def _expected(log: FinalLog, view: _View) -> list[LogEntry]:
    """The newest page up to the cursor as far as it was shown, then everything.

    Of what came while the page was read there are other events than messages, too.
    """
    cursor = view.began.offset
    live = [entry for entry in log.entries if entry.offset > cursor]
    early = [each for each in view.shown if each.offset <= cursor]
    if not early:
        return live
    # A double of the page counts too much here and shows up as a difference.
    page = range(view.shown[0].offset, cursor + 1)
    others = [each.offset for each in early if not each.message]
    all_from = min(others, default=cursor + 1)
    return [
        entry
        for entry in log.entries
        if entry.offset in page and (entry.message or entry.offset >= all_from)
    ] + live


def _said(log: FinalLog, before: list[Shown], seen: Shown, due: LogEntry | None) -> str:
    """Say how an event that was shown differs from the one that was due."""
    saw = f"saw {_name(seen)} (uid {seen.uid})"
    after = f"after {_name(before[-1])}" if before else "first"
    if _position(seen) in map(_position, before):
        return f"{saw} twice, again {after}"
    if _position(seen) not in map(_position, log.entries):
        return f"{saw}, which is not in the log, {after}"
    if due is not None and seen.offset == due.offset:
        return f"{saw} as {seen}, of which the log says {due}"
    if due is None or seen.offset < due.offset:
        return f"{saw} out of its order, {after}"
    missing = [each for each in log.entries if due.offset <= each.offset < seen.offset]
    return f"{saw} {after}, and {len(missing)} before it are missing"


def _position(each: Shown | LogEntry) -> Position:
    return each.offset, each.uid


def _is_same(log: FinalLog, seen: Shown, due: LogEntry) -> bool:
    """Tell whether an event that was shown is that of the log, or its substitute."""
    if place_of(seen) != place_of(due):
        return False
    if due.message:
        # The rest of a message is a state, which :mod:`.states` looks at.
        is_gone = "deleted" in seen.more or "deleted" in due.more
        return is_gone or seen.client_id == due.client_id
    if (seen.name, seen.words) != (due.name, due.words):
        # The words of a message that was deleted since are left out.
        deletions = [each for each in log.entries if each.name == "message_deleted"]
        is_gone = due.number in {each.number for each in deletions}
        left = ("message_deleted", "", due.number)
        is_left = (seen.name, seen.words, event_of(seen).number) == left
        return due.name == "message_edited" and is_gone and is_left
    return seen.more == due.more


def _name(each: Shown | LogEntry) -> str:
    if each.message:
        return f"message {each.message} at offset {each.offset}"
    return f"the event at offset {each.offset}"
