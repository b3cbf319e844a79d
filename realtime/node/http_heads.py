"""A bound on the head of a request as a whole, which aiohttp has for its lines only.

The private name of aiohttp in use is ``RequestHandler._parser``; how long its queue is
says a constant of its module.
"""

from collections.abc import Callable
from typing import Any, Final

from aiohttp import web_protocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

from realtime.engineio.held_bytes import HeldBytes

# Requests of a connection that are read while one is answered, 2 KB each: no browser
# and no proxy sends any ahead.
AHEAD: Final = 4

# Request line and headers. Cookies of a large site have some 16 KiB.
HEAD_LIMIT_BYTES: Final = 32 * 1024


web_protocol.MAX_MSG_QUEUE_SIZE = AHEAD


class HeadRefusedError(HttpProcessingError):
    """A head is not read to its end; aiohttp answers 400 and hangs up."""

    def __init__(self, message: str) -> None:
        super().__init__(code=400, message=message)


class BoundedParser:
    """Stands before a connection's parser and counts the bytes of each head.

    Args:
        parser: aiohttp's; everything but ``feed_data`` is passed on to it.
        held: Counts what has come of heads that are not all there, of all connections.
        refused: Called when a connection ends for what it sent.
    """

    __slots__ = ("_body", "_held", "_parser", "_refused", "_size")

    def __init__(
        self, parser: Any, held: HeldBytes, refused: Callable[[], None]
    ) -> None:
        self._parser = parser
        self._refused = refused
        self._held = held
        # Of a head that is not complete yet.
        self._size = 0
        # Of the last request, as long as it may be arriving.
        self._body: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)

    @property
    def is_between_requests(self) -> bool:
        """Whether all that has begun to arrive is there: the next byte is a head's."""
        return not self._size and (self._body is None or self._body.is_eof())

    def feed_data(self, data: bytes) -> Any:
        """Parse what a connection brings.

        Raises:
            HeadRefusedError: A head is longer than :data:`HEAD_LIMIT_BYTES`, or those
                of all connections together are too long.
            HttpProcessingError: It is no HTTP.
        """
        try:
            return self._parse(data)
        except HttpProcessingError:
            self._refused()
            raise

    def _parse(self, data: bytes) -> Any:
        in_body = self._body is not None and not self._body.is_eof()
        parsed = self._parser.feed_data(data)
        if parsed[0]:
            self.release()
            self._body = parsed[0][-1][1]
            for message, _body in parsed[0]:
                _check(_size_of(message))
        elif not in_body:
            self._body = None
            before, self._size = self._size, self._size + len(data)
            may = self._held.change(before, self._size)
            if self._size > HEAD_LIMIT_BYTES or not may:
                size = self._size
                self.release()
                _check(size)
                raise HeadRefusedError("Too many requests have only begun; try again")
        return parsed

    def release(self) -> None:
        """Count nothing any more: the head is complete, or the connection has ended."""
        before, self._size = self._size, 0
        self._held.change(before, 0)


def bound_head(
    handler: RequestHandler, held: HeldBytes, refused: Callable[[], None]
) -> BoundedParser:
    """Bound the heads of a connection from now on.

    Args:
        handler: Of the connection.
        held: Counts what has come of heads that are not all there, of all connections.
        refused: Called when a connection ends for what it sent.
    """
    made = BoundedParser(handler._parser, held, refused)
    handler._parser = made  # type: ignore[assignment]
    return made


def _check(size: int) -> None:
    if size > HEAD_LIMIT_BYTES:
        raise HeadRefusedError(f"The head has more than {HEAD_LIMIT_BYTES} bytes")


def _size_of(message: Any) -> int:
    """Return the bytes of a head that came in one piece."""
    size = len(message.path)
    for name, value in message.raw_headers:
        size += len(name) + len(value)
    return size
