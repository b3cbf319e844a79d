"""The checker: all histories and the final logs in, broken promises out. Pure."""

from collections.abc import Sequence

from verify.checker.order import check_order
from verify.checker.people import check_people
from verify.checker.reads import check_reads
from verify.checker.sends import check_sends
from verify.checker.shown import check_shown
from verify.checker.states import check_states
from verify.checker.told import check_told
from verify.history import FinalLog, History, Span, Told, Violation

# The promises, by the names that violations carry.
RULES = {
    "acknowledged": "what was acknowledged is in the log, in that place",
    "durability": "each ack tells the durability that was asked for",
    "contiguous": "numbers go up by one",
    "once": "one clientId is one message, or one edit",
    "genuine": "what is in the log was sent by somebody",
    "refused": "what was refused is not in the log",
    "shown": "every member sees the log from their first message on, once, in order",
    "deleted": "no word of a deleted message is shown to who asks after that",
    "state": "messages, pins and names are everywhere as the log's events make them",
    "changed": "who asks after an edit, a deletion, a reaction was acknowledged has it",
    "put out": "who was put out sees nothing of the time after, nor escapes a ban",
    "newcomers": "who was added sees nothing from before, where the room is set so",
    "judged": "only those act who may: by their role, and while they are not muted",
    "continuity": "who has a valid cursor resumes from it",
    "real time": "what was acknowledged before another was sent comes before it",
    "sent order": "what one connection sends in a row is stored in that order",
    "reads": "read marks never go back",
    "told": "the application is told of every message",
    "told order": "it is told what happens in a room in its order",
    "signed": "what it is told is signed",
    "presence": "who is listed as here is here, soon after the last fault",
    "history": "`history` gives the messages of the log",
    "settled": "after the last fault everybody gets everything",
    "released": "nodes hold nothing of clients that have gone",
    "quiet": "no node logs a traceback",
}


def check(
    histories: Sequence[History],
    logs: Sequence[FinalLog],
    *,
    lost: Sequence[Span] = (),
    replaced: Sequence[Span] = (),
    durability: str | None = None,
    complete: bool = True,
    told: Sequence[Told] | None = None,
) -> list[Violation]:
    """Return every violation, those of one rule together, the gravest rule first.

    Args:
        histories: Of all clients of the run.
        logs: Of all rooms of the run.
        lost: Times in which Redis lost what was acknowledged; then clients have to
            be told to begin anew, and what they showed before may differ.
        replaced: Times in which another server took the primary's place, or Redis
            came back without its last seconds: what was not acknowledged yet may be
            gone, and clients have to be told as well.
        durability: What acks have to tell; None if that is not known.
        complete: Whether all clients had the time to catch up before the end.
        told: What the application was told, in its order; None: there is none.
    """
    found: list[Violation] = []
    anew = (*lost, *replaced)
    for log in logs:
        found += check_sends(histories, log, lost=lost, durability=durability)
        found += check_order(histories, log)
        found += check_shown(histories, log, anew=anew, complete=complete)
        found += check_reads(histories, log, anew)
        found += [] if told is None else check_told(told, log)
        if not log.messages_only:
            found += check_states(histories, log, anew)
            found += check_people(histories, log, anew)
    return by_gravity(found)


def by_gravity(violations: Sequence[Violation]) -> list[Violation]:
    """Return violations in the order of the rules that they break."""
    ranks = {rule: rank for rank, rule in enumerate(RULES)}
    return sorted(violations, key=lambda violation: ranks[violation.rule])
