"""Keeps strangers from filling the log through the HTTP server."""

import logging
from typing import Final

from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import RequestPayloadError

# What is no HTTP, and a body that is not in the encoding that its header names.
TO_BLAME: Final = (HttpProcessingError, RequestPayloadError)


class BadRequestFilter(logging.Filter):
    """Turns aiohttp's traceback for a malformed request into a line at ``info``.

    Whoever can connect can send what is no HTTP; aiohttp answers it with 400 and logs
    an error with its own stack, as if the server had failed.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let everything pass; take the stack from what a client is to blame for."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, TO_BLAME) or _is_odd_expectation(error):
            record.exc_info = None
            record.levelno, record.levelname = logging.INFO, "INFO"
            # The first line says what was wrong; the rest quotes the client.
            record.msg = "Malformed HTTP request from %s"
        return record.levelno >= logging.getLogger(record.name).getEffectiveLevel()


def _is_odd_expectation(error: BaseException | None) -> bool:
    """Tell whether aiohttp failed at quoting an Expect header that is no UTF-8."""
    return isinstance(error, UnicodeEncodeError) and error.object.startswith(
        "Unknown Expect: "
    )


def quiet_bad_requests() -> None:
    """Apply the filter to aiohttp's server log; repeating it is fine."""
    logger = logging.getLogger("aiohttp.server")
    if not any(isinstance(each, BadRequestFilter) for each in logger.filters):
        logger.addFilter(BadRequestFilter())
