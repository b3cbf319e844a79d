"""aiohttp's protocol, whose connection may go to another worker between requests.

The private names of aiohttp in use are those of its ``RequestHandler``.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from realtime.node.http_heads import BoundedParser
from realtime.workers.asked import Asked, read


class Guide(Protocol):
    """What a connection asks where it belongs."""

    is_leaving: bool

    def may_hold(self, size: int) -> bool:
        """Count a beginning that is held for its end; False: it is not held."""

    def let_go(self, size: int) -> None:
        """Count a beginning no more."""

    def moves(self, handler: "MovingHandler", data: bytes, asked: Asked) -> bool:
        """Hand a connection over, if its request is another worker's."""

    def send_on(self, handler: RequestHandler) -> None:
        """Give a connection to another worker, if it is between two requests."""


class MovingHandler(RequestHandler):
    """aiohttp's protocol, whose connection may go to another worker.

    Args:
        guide: Decides where to.
        server: aiohttp's.
        keywords: aiohttp's.
        brought: What the connection brought at the worker that handed it over.
    """

    __slots__ = ("_begun", "_brought", "_finished", "_guide", "waits")

    def __init__(
        self, guide: Guide, server: web.Server, *, brought: bytes, **keywords: Any
    ) -> None:
        super().__init__(server, **keywords)
        self._guide = guide
        self._brought = brought
        # The beginning of a request line.
        self._begun = b""
        # Requests that were answered, of those that aiohttp has counted.
        self._finished = 0
        # Whether another worker is asked to take the connection.
        self.waits = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way: no request, no answer, no part of a head."""
        return not self._begun and self._is_between

    @property
    def _is_between(self) -> bool:
        """Whether the next byte is one of a request line."""
        finished = self._finished == self._request_count
        return finished and not self.waits and self._is_whole

    @property
    def _is_whole(self) -> bool:
        parser = cast("BoundedParser | None", self._parser)
        return (
            parser is not None
            and not self._upgraded
            and not self._force_close
            and not self._close
            and parser.is_between_requests
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, with what was brought."""
        super().connection_made(transport)
        brought, self._brought = self._brought, b""
        if brought and not transport.is_closing():
            super().data_received(brought)

    def data_received(self, data: bytes) -> None:
        """Hand the connection over if its next request is another worker's."""
        if not data or not self._is_between:
            super().data_received(data)
            return
        data = self._take_begun(data)
        asked = read(data)
        if asked.is_whole or not self._guide.may_hold(len(data)):
            if not (asked.is_whole and self._guide.moves(self, data, asked)):
                super().data_received(data)
        else:
            self._begun = data

    def serve(self, data: bytes) -> None:
        """Serve a request here, whoever's it is."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()
            super().data_received(data)

    def refuse(self, answer: bytes) -> None:
        """Answer a request and hang up."""
        if self.transport is not None:
            self.transport.write(answer)
            self.force_close()

    def detach(self) -> None:
        """Let go of a connection that another process has now."""
        transport, self.transport = self.transport, None
        self.connection_lost(None)
        if transport is not None:
            # Not closed: that would end it for the other process as well.
            transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """End; what was held is held no more."""
        self._take_begun(b"")
        super().connection_lost(exc)

    def _take_begun(self, data: bytes) -> bytes:
        begun, self._begun = self._begun, b""
        self._guide.let_go(len(begun))
        return begun + data

    async def _handle_request(
        self,
        request: web.BaseRequest,
        start_time: float | None,
        request_handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
    ) -> tuple[web.StreamResponse, bool]:
        try:
            answered = await super()._handle_request(
                request, start_time, request_handler
            )
        finally:
            self._finished += 1
        if self._guide.is_leaving and answered[0].keep_alive:
            asyncio.get_running_loop().call_soon(self._guide.send_on, self)
        return answered
