"""Log lines are written by a thread: whoever reads them slowly must not stop a node.

A terminal that was paused, a full pipe or a slow disk would otherwise block the event
loop in the middle of a log call, and with it everybody's messages.
"""

import logging
import os
import queue
import threading
from collections import Counter
from logging.handlers import QueueHandler
from typing import Final, Self

from realtime.limits import new_counts

# Lines that may wait to be written, some megabytes. Further ones are left out.
LINES_WAITING: Final = 10_000

# Time for the last lines when the process ends. A reader that hangs loses them.
CLOSE_SECONDS: Final = 2.0


class LogWriter(QueueHandler):
    """Takes records without waiting and hands them to a handler in a thread.

    A line that finds no place is left out; when there is one again, a warning says how
    many were. Use it as a context, within which the thread runs.

    Args:
        target: Writes the lines; it may block.
        limit: Lines that may wait.

    Attributes:
        limited: Counts the lines left out, as ``log_lines``, and those of
            :meth:`count_repeat`, as ``log_repeats``.
        context: What every line of JSON says: ``node`` and ``worker``, once known.
    """

    def __init__(self, target: logging.Handler, *, limit: int = LINES_WAITING) -> None:
        self._lines: queue.Queue[logging.LogRecord | None] = queue.Queue(limit)
        super().__init__(self._lines)
        self.limited: Counter[str] = new_counts()
        self.context: dict[str, str] = {}
        self._left_out = 0
        self._target = target
        # A daemon: the process ends although a reader hangs.
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        try:
            self._lines.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(CLOSE_SECONDS)

    def _write(self) -> None:
        """Write what comes until the end of it, which is None. Run by the thread."""
        while (record := self._lines.get()) is not None:
            self._target.handle(record)

    def count_repeat(self) -> None:
        """Count a line that is one too many of its kind."""
        self.limited["log_repeats"] += 1

    def enqueue(self, record: logging.LogRecord) -> None:
        """Take a record, or count it if there is no place."""
        try:
            if self._left_out:
                self._lines.put_nowait(self.prepare(_left_out(self._left_out)))
                self._left_out = 0
            self._lines.put_nowait(record)
        except queue.Full:
            self._left_out += 1
            self.limited["log_lines"] += 1


class LineHandler(logging.Handler):
    """Writes lines to a descriptor, from one thread.

    Its lock is there and free: whoever takes it, as ``logging`` does when the process
    ends, waits for no line that nobody reads. Nor is there a buffer to be flushed then.

    Args:
        descriptor: Where to; 2 is the standard error.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor

    def handle(self, record: logging.LogRecord) -> bool:
        """Write a record that the filters let through, without taking the lock."""
        passed = bool(self.filter(record))
        if passed:
            self.emit(record)
        return passed

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, however long that takes."""
        try:
            line = f"{self.format(record)}\n".encode(errors="backslashreplace")
            while line:
                line = line[os.write(self._descriptor, line) :]
        except OSError:
            self.handleError(record)


def _left_out(count: int) -> logging.LogRecord:
    text = f"{count} lines were left out: the log is not read fast enough."
    return logging.makeLogRecord(
        {
            "name": __name__,
            "levelno": logging.WARNING,
            "levelname": "WARNING",
            "msg": text,
        }
    )
