"""Where the log of a process goes: to the standard error, in lines."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from realtime.node.log_json import JsonFormatter
from realtime.node.log_repeats import RepeatFilter
from realtime.node.logs import LineHandler, LogWriter

STANDARD_ERROR: Final = 2

# The shapes of a line.
TEXT: Final = "text"
JSON: Final = "json"

# What names of workers begin with, before their slot; ``/metrics`` has the slot alone.
WORKER: Final = "worker "

# Libraries that log each packet at "info", or at "debug" what is in a photo: where it
# was taken, for one.
CHATTY_LOGGERS: Final = ("socketio", "engineio", "PIL")


@contextmanager
def log_to_standard_error(
    level: str, name: str = "", *, shape: str = TEXT
) -> Iterator[LogWriter]:
    """Log to the standard error without ever waiting for whoever reads it.

    Args:
        level: Least severity that is logged.
        name: Who logs, where several processes write to one log: ``worker 0``.
        shape: ``text`` or ``json``.
    """
    target = LineHandler(STANDARD_ERROR)
    root = logging.getLogger()
    with LogWriter(target) as writer:
        if shape == TEXT:
            who = f" [{name}]" if name else ""
            target.setFormatter(
                logging.Formatter(
                    f"%(asctime)s %(levelname)s{who} %(name)s: %(message)s"
                )
            )
        else:
            if name:
                writer.context["worker"] = name.removeprefix(WORKER)
            # Here, for what is handed to the thread is a line already.
            writer.setFormatter(JsonFormatter(writer.context))
        writer.addFilter(RepeatFilter(writer.count_repeat))
        root.addHandler(writer)
        root.setLevel(level.upper())
        for chatty in CHATTY_LOGGERS:
            logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
        try:
            yield writer
        finally:
            root.removeHandler(writer)
