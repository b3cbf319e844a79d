"""Checks the order of what one connection sent without waiting for acks."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from verify.final_log import FinalLog, LogEntry, Violation
from verify.history import Answered, Down, History, Outcome, Sent, Up


def check_order(histories: Sequence[History], log: FinalLog) -> Iterator[Violation]:
    """Compare the order in which each connection sent with the log's.

    Only what was stored by the very attempt counts: what was refused and tried again
    took its place then, and a duplicate may be of another connection.

    Args:
        histories: Of all clients.
        log: The room at the end.
    """
    stored = {entry.uid: entry for entry in log.messages}
    for history in histories:
        for life in _lives(history, log.room):
            # What a lost tail took with it is not there, or has another uid.
            entries = [stored[ack.uid] for ack in life if ack.uid in stored]
            for before, after in pairwise(entries):
                if after.message < before.message:
                    text = (
                        f"{history.client} sent {_said(before)} and then {_said(after)}"
                        " over one connection"
                    )
                    yield Violation("sent order", log.room, text)


def _lives(history: History, room: str) -> Iterator[list[Answered]]:
    """Yield what each connection stored, in the order in which it was sent."""
    sent: dict[str, Answered | None] = {}
    for record in history.records:
        if isinstance(record, Up | Down):
            yield [ack for ack in sent.values() if ack is not None]
            sent = {}
        elif isinstance(record, Sent) and record.room == room:
            # The last place counts, of what is tried again.
            sent.pop(record.client_id, None)
            sent[record.client_id] = None
        elif isinstance(record, Answered) and record.room == room:
            stored = record.outcome is Outcome.ACKED and not record.duplicate
            if stored and record.client_id in sent:
                sent[record.client_id] = record
    yield [ack for ack in sent.values() if ack is not None]


def _said(entry: LogEntry) -> str:
    return f"{entry.client_id} (message {entry.message})"
