"""Checks of read marks: they only ever rise, for whoever looks."""

from collections.abc import Iterator, Sequence

from realtime.verify.final_log import FinalLog, Violation
from realtime.verify.history import History, Read


def check_reads(histories: Sequence[History], log: FinalLog) -> Iterator[Violation]:
    """Follow each user's mark as every client was told of it, and to the end."""
    for history in histories:
        marks: dict[tuple[str, bool], Read] = {}
        for record in history.records:
            if not isinstance(record, Read) or record.room != log.room:
                continue
            before = marks.get((record.user, record.own))
            if before is not None and record.message < before.message:
                text = (
                    f"{history.client} was told that {record.user} had read up to"
                    f" {before.message}, and {record.at - before.at:.3f} s later up to"
                    f" {record.message}"
                )
                yield Violation("reads", log.room, text)
            marks[record.user, record.own] = record
        for (user, _), mark in marks.items():
            if user in log.reads and log.reads[user] < mark.message:
                text = (
                    f"{history.client} was told that {user} had read up to"
                    f" {mark.message}, but the server holds {log.reads[user]}"
                )
                yield Violation("reads", log.room, text)
