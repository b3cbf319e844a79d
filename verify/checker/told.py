"""What the application was told: every message, and in the order of each room."""

from collections.abc import Sequence

from verify.history import FinalLog, Told, Violation

# Messages that the text of a violation names.
NAMED = 10


def missing(told: Sequence[Told], log: FinalLog) -> list[int]:
    """Return the numbers of a room's messages that the application was not told of."""
    known = {(each.offset, each.uid) for each in told if each.room == log.room}
    return [
        each.message for each in log.messages if (each.offset, each.uid) not in known
    ]


def check_told(told: Sequence[Told], log: FinalLog) -> list[Violation]:
    """Return what is missing of a room, and what came behind a later event of it.

    What is told again counts once; what Redis lost since, with its last seconds, was
    told of a log that is none any more.

    Args:
        told: All that the application took, in its order.
        log: The room at the end.
    """
    found = []
    if gone := missing(told, log):
        some = ", ".join(map(str, gone[:NAMED]))
        text = f"{len(gone)} of {len(log.messages)} messages were not told: {some}"
        found.append(Violation("told", log.room, text))
    places = {(each.offset, each.uid) for each in log.entries}
    highest = 0
    for each in told:
        if each.room != log.room or (each.offset, each.uid) not in places:
            continue
        places.discard((each.offset, each.uid))
        if each.offset < highest:
            text = f"offset {each.offset} came first behind {highest}"
            found.append(Violation("told order", log.room, text))
        highest = max(highest, each.offset)
    return found
