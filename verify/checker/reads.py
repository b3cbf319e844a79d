"""Checks of read marks: they only ever rise, for whoever looks."""

from collections.abc import Iterator, Sequence

from verify.history import Began, FinalLog, History, Read, Span, Violation, of_kind

# What Redis may not have on disk or at its replicas yet when it ends.
TAIL_SECONDS = 2.0

# The longest that a client may go on with a lost past before it is told to begin anew:
# what is promised of the recovery from any fault.
TOLD_SECONDS = 5.0

# When the server's own marks were looked at: after all that clients were told.
AT_THE_END = float("inf")


def check_reads(
    histories: Sequence[History], log: FinalLog, anew: Sequence[Span] = ()
) -> Iterator[Violation]:
    """Follow each user's mark as every client was told of it, and to the end.

    Args:
        histories: Of all clients.
        log: The room at the end.
        anew: Times in which Redis lost its newest data. Marks are not in the room's
            log: those of then may be gone, and nobody is told.
    """
    for history in histories:
        excused = [_excused(history, log.room, span) for span in anew]
        for before, after in _successions(history, log):
            may_be_lost = any(start <= before.at <= end for start, end in excused)
            if before.message > after.message and not may_be_lost:
                when = f"{after.at - before.at:.3f} s later"
                text = (
                    f"{history.client} was told that {before.user} had read up to"
                    f" {before.message}, and"
                    f" {'at the end' if after.at == AT_THE_END else when} it was"
                    f" {after.message}"
                )
                yield Violation("reads", log.room, text)


def _excused(history: History, room: str, lost: Span) -> Span:
    """Return the time in which a client may be told of marks that are gone.

    It may hear of them until it is told that it has to begin anew.
    """
    start, end = lost
    views = [each for each in of_kind(history.records, Began) if each.room == room]
    views = [each for each in views if each.at >= end]
    # Who was put out and came back began anew as well, and may not know yet.
    told = [each.at for each in views if each.reload or each.refused_cursor]
    begun = min(told or [each.at for each in views], default=end)
    return start - TAIL_SECONDS, max(end, min(begun, end + TOLD_SECONDS))


def _successions(history: History, log: FinalLog) -> Iterator[tuple[Read, Read]]:
    """Yield each mark that a client was told with the next one of the same user."""
    latest: dict[tuple[str, bool], Read] = {}
    for mark in of_kind(history.records, Read):
        if mark.room == log.room:
            if before := latest.get((mark.user, mark.own)):
                yield before, mark
            latest[mark.user, mark.own] = mark
    for (user, own), mark in latest.items():
        if user in log.reads:
            yield mark, Read(AT_THE_END, log.room, user, log.reads[user], own)
