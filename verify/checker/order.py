"""Checks the order of what one connection sent without waiting for acks."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from verify.history import (
    Answered,
    Down,
    FinalLog,
    History,
    Outcome,
    Sent,
    Up,
    Violation,
)


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
        for uids in _lives(history, log.room):
            # What a lost tail took with it is not there, or has another uid.
            entries = [stored[uid] for uid in uids if uid in stored]
            for before, after in pairwise(entries):
                if after.message < before.message:
                    text = (
                        f"{history.client} sent {before.client_id} and then"
                        f" {after.client_id} over one connection; they are messages"
                        f" {before.message} and {after.message}"
                    )
                    yield Violation("sent order", log.room, text)


def _lives(history: History, room: str) -> Iterator[list[str]]:
    """Yield the uids of what each connection stored, in the order of the attempts."""
    sent: dict[str, str] = {}
    for record in history.records:
        if isinstance(record, Up | Down):
            yield [uid for uid in sent.values() if uid]
            sent = {}
        elif isinstance(record, Sent) and record.room == room and record.name == "send":
            # The last place counts, of what is tried again.
            sent.pop(record.client_id, None)
            sent[record.client_id] = ""
        elif isinstance(record, Answered) and record.room == room:
            is_new = record.outcome is Outcome.ACKED and not record.duplicate
            if is_new and record.client_id in sent:
                sent[record.client_id] = record.uid
    yield [uid for uid in sent.values() if uid]
