"""Keeps a run's histories and logs as files, a line of JSON for each record."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import orjson

from verify.final_log import FinalLog
from verify.history import History, to_line


def keep(folder: Path, histories: Sequence[History], logs: Sequence[FinalLog]) -> None:
    """Write ``<client>.jsonl`` for each history and ``<room>.log.jsonl`` for each log.

    Args:
        folder: Made when there is none; files of an earlier run are written over.
        histories: Of all clients.
        logs: Of all rooms.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for history in histories:
        lines = b"".join(map(to_line, history.records))
        (folder / f"{history.client}.jsonl").write_bytes(lines)
    for log in logs:
        entries = b"".join(orjson.dumps(asdict(each)) + b"\n" for each in log.entries)
        (folder / f"{log.room}.log.jsonl").write_bytes(entries)
