"""A bound on the head of a request as a whole, which aiohttp has for its lines only.

The private name of aiohttp in use is ``RequestHandler._parser``.
"""

from typing import Any, Final

from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

# Request line and headers. Cookies of a large site have some 16 KiB.
HEAD_LIMIT_BYTES: Final = 32 * 1024


class HeadTooLongError(HttpProcessingError):
    """The head of a request is too long; aiohttp answers 400 and hangs up."""

    def __init__(self) -> None:
        super().__init__(
            code=400, message=f"The head has more than {HEAD_LIMIT_BYTES} bytes"
        )


class BoundedParser:
    """Stands before a connection's parser and counts the bytes of each head.

    Args:
        parser: aiohttp's; everything but ``feed_data`` is passed on to it.
    """

    __slots__ = ("_body", "_parser", "_size")

    def __init__(self, parser: Any) -> None:
        self._parser = parser
        # Of a head that is not complete yet.
        self._size = 0
        # Of the last request, as long as it may be arriving.
        self._body: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)

    def feed_data(self, data: bytes) -> Any:
        """Parse what a connection brings.

        Raises:
            HeadTooLongError: A head is longer than :data:`HEAD_LIMIT_BYTES`.
        """
        in_body = self._body is not None and not self._body.is_eof()
        parsed = self._parser.feed_data(data)
        if parsed[0]:
            self._size = 0
            self._body = parsed[0][-1][1]
            for message, _body in parsed[0]:
                _check(message)
        elif not in_body:
            self._body = None
            self._size += len(data)
            if self._size > HEAD_LIMIT_BYTES:
                raise HeadTooLongError
        return parsed


def bound_head(handler: RequestHandler) -> None:
    """Bound the heads of a connection from now on."""
    handler._parser = BoundedParser(handler._parser)  # type: ignore[assignment]


def _check(message: Any) -> None:
    """Count what came in one piece."""
    size = len(message.path)
    for name, value in message.raw_headers:
        size += len(name) + len(value)
    if size > HEAD_LIMIT_BYTES:
        raise HeadTooLongError
