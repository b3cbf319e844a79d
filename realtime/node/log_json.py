"""The log as JSON, one line an event, for whatever collects and searches logs."""

import json
import logging
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

# Of whom a line speaks by an id: "Room %s cannot be read". Each is a member of its own
# then. What else is put into words stays there.
_PUT_IN: Final = re.compile(
    r"(?:\b(room|session|endpoint|worker)\s+)?%(?!%)[-+# 0-9.]*[a-z]", re.IGNORECASE
)


class JsonFormatter(logging.Formatter):
    """Makes an event of the log one line of JSON.

    ``event`` is the same for all lines of one kind: the words before anything was put
    into them. A traceback is one member, its lines kept.

    Args:
        context: What all lines say, read for each one: more may become known.
    """

    def __init__(self, context: Mapping[str, str]) -> None:
        super().__init__()
        self._context = context

    def format(self, record: logging.LogRecord) -> str:
        """Return an event's line, without its end."""
        told = {
            "ts": _moment(record.created),
            "level": record.levelname.lower(),
            "event": str(getattr(record, "template", record.msg)),
            "message": record.getMessage(),
            "logger": record.name,
            **dict(_ids(record)),
            **self._context,
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            told["stack"] = self.formatStack(record.stack_info)
        # What is no UTF-8 is written with a backslash, which JSON reads as it is meant.
        return json.dumps(told, ensure_ascii=False)


def _ids(record: logging.LogRecord) -> Iterator[tuple[str, str]]:
    """Yield of whom an event speaks, and their ids."""
    words = str(getattr(record, "template", record.msg)).replace("%%", "")
    values = record.args if isinstance(record.args, tuple) else ()
    # Without a value for each nothing was put in: words that came from elsewhere.
    for found, value in zip(_PUT_IN.finditer(words), values, strict=False):
        if found[1] is not None:
            yield found[1].lower(), str(value)


def _moment(seconds: float) -> str:
    """Return a time as RFC 3339 has it, in UTC to the millisecond."""
    told = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return told.replace("+00:00", "Z")
