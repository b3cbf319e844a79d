"""How often the log warned: what is only in the log is not seen until it is read."""

import logging
from collections import Counter
from types import TracebackType
from typing import Final, Self

# The levels that are counted, by their names in the metrics.
LEVELS: Final = {
    logging.WARNING: "warning",
    logging.ERROR: "error",
    logging.CRITICAL: "critical",
}


class LogCounts(logging.Handler):
    """Counts the messages of the whole process that reach the log, while in use.

    Use it as a context. What the chosen log level leaves out is not counted.

    Attributes:
        logged: Level of :data:`LEVELS` to how many messages it had.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.logged: Counter[str] = Counter(dict.fromkeys(LEVELS.values(), 0))

    def __enter__(self) -> Self:
        logging.getLogger().addHandler(self)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        logging.getLogger().removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Count a message; levels in between count as the one below."""
        self.logged[LEVELS[max(each for each in LEVELS if each <= record.levelno)]] += 1
