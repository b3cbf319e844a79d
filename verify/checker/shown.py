"""Checks of what was shown: the log from its first number on, once and in order."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field

from verify.final_log import FinalLog, LogEntry, Violation
from verify.history import Began, History, Shown, Span

Position = tuple[int, str]
"""Offset and uid of an event."""

TOLD_SECONDS = 8.0
"""Deadline after a lost tail within which all who show it are told."""


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
    kept = {(entry.offset, entry.uid) for entry in log.entries}
    for history in histories:
        views = _views(history, log.room)
        last: Position | None = None
        for index, view in enumerate(views):
            is_last = index == len(views) - 1
            during = any(a <= view.began.at <= b + TOLD_SECONDS for a, b in anew)
            after_loss = any(start <= view.began.at for start, _ in anew)
            if not during and (not after_loss or last in kept):
                yield from _continuity(history, log.room, view)
            if view.shown:
                last = (view.shown[-1].offset, view.shown[-1].uid)
            if anew and not is_last:
                view, past = _parted(view, kept)
                yield from _told(history, log.room, view, past, kept)
            yield from _same(history, log, view, to_end=is_last and complete)


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


def _parted(view: _View, kept: Set[Position]) -> tuple[_View, list[Shown]]:
    """Part a view at the first event that the log does not hold any more."""
    for position, seen in enumerate(view.shown):
        if (seen.offset, seen.uid) not in kept:
            return _View(view.began, view.shown[:position]), view.shown[position:]
    return view, []


def _told(
    history: History, room: str, view: _View, past: list[Shown], kept: Set[Position]
) -> Iterator[Violation]:
    """What was lost was one past too, up to where the client was told."""
    before = view.shown[-1].offset if view.shown else None
    for seen in past:
        if (seen.offset, seen.uid) in kept:
            text = (
                f"{history.client} saw {_name(seen)} after {_name(past[0])} (uid"
                f" {past[0].uid}), which was lost, and was not told in between"
            )
            yield Violation("shown", room, text)
            return
        paged = seen.offset <= view.began.offset
        if before is not None and not (
            seen.offset > before if paged else seen.offset == before + 1
        ):
            text = f"{history.client} saw {_name(seen)} after offset {before}"
            yield Violation("shown", room, f"{text}, in a past that was lost")
            return
        before = seen.offset


def _continuity(history: History, room: str, view: _View) -> Iterator[Violation]:
    began = view.began
    if began.reload:
        text = f"{history.client} was told to reload, but the log lost nothing"
        yield Violation("continuity", room, text)
    elif began.refused_cursor is not None:
        text = (
            f"{history.client} could not resume from {began.refused_cursor}, which"
            " the log holds"
        )
        yield Violation("continuity", room, text)


def _same(
    history: History, log: FinalLog, view: _View, *, to_end: bool
) -> Iterator[Violation]:
    """The first difference between a view and the log; later ones follow from it."""
    expected = _expected(log, view)
    shown = [each for each in view.shown if each.message or not log.messages_only]
    for position, (seen, entry) in enumerate(zip(shown, expected, strict=False)):
        if _identity(seen) != _identity(entry):
            said = _difference(log, shown[:position], seen, entry)
            yield Violation("shown", log.room, f"{history.client} {said}")
            return
    if len(shown) > len(expected):
        beyond = shown[len(expected)]
        said = _difference(log, shown[: len(expected)], beyond, None)
        yield Violation("shown", log.room, f"{history.client} {said}")
    elif to_end and len(shown) < len(expected):
        missing = expected[len(shown)]
        text = (
            f"{history.client} never saw {_name(missing)} and what follows it, up to"
            f" {_name(expected[-1])}"
        )
        yield Violation("shown", log.room, text)


def _identity(each: Shown | LogEntry) -> tuple[int, str, int, str, str]:
    return each.offset, each.uid, each.message, each.user, each.client_id


def _expected(log: FinalLog, view: _View) -> list[LogEntry]:
    """The newest page up to the cursor as far as it was shown, then everything."""
    cursor = view.began.offset
    live = [entry for entry in log.entries if entry.offset > cursor]
    paged = sum(1 for each in view.shown if each.offset <= cursor)
    if not paged:
        return live
    # A double of the page counts too much here and shows up as a difference.
    before = [entry for entry in log.messages if entry.offset <= cursor]
    first = view.shown[0].offset
    return [entry for entry in before if entry.offset >= first] + live


def _difference(
    log: FinalLog, before: list[Shown], seen: Shown, entry: LogEntry | None
) -> str:
    """Say how an event that was shown differs from the one that was due."""
    after = f" after {_name(before[-1])}" if before else " first"
    known = {(each.offset, each.uid) for each in log.entries}
    if (seen.offset, seen.uid) in {(each.offset, each.uid) for each in before}:
        return f"saw {_name(seen)} twice, again{after}"
    if (seen.offset, seen.uid) not in known:
        return f"saw {_name(seen)} (uid {seen.uid}), which is not in the log{after}"
    if entry is None:
        return f"saw {_name(seen)} out of its order{after}"
    if before and seen.offset < before[-1].offset:
        return f"saw {_name(seen)} late,{after}"
    skipped = [e for e in log.entries if entry.offset <= e.offset < seen.offset]
    if skipped:
        return f"saw {_name(seen)}{after}, and {len(skipped)} before it are missing"
    return f"saw {_name(seen)}{after}, where {_name(entry)} was due"


def _name(each: Shown | LogEntry) -> str:
    if each.message:
        return f"message {each.message} at offset {each.offset}"
    return f"the event at offset {each.offset}"
