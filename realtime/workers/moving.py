"""HTTP connections that go to the worker whose session they name, between requests.

A connection is handed over as a descriptor, with what it brought; the client notices
nothing. That is done before its next request is looked at by aiohttp, and only where
nothing of an earlier one is left: no answer under way, no half body, no half head.

The private names of aiohttp in use are those of its ``Server``.
"""

import asyncio
import os
import socket
from collections import Counter
from collections.abc import Callable
from typing import Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from realtime.engineio.attempts import Budget
from realtime.engineio.event_loop import adopt
from realtime.engineio.held_bytes import HeldBytes
from realtime.node.http_heads import HEAD_LIMIT_BYTES
from realtime.workers.asked import Asked, read
from realtime.workers.balance import Balance
from realtime.workers.channel import Busy, Channel
from realtime.workers.handler import MovingHandler

# The kind of a message with a connection in it.
CONNECTION: Final = b"c"

# How long a worker that takes nothing is asked again, and how often.
PATIENCE_SECONDS: Final = 1.0
AGAIN_SECONDS: Final = 0.01

# What connections that wait for that have brought, all together: as much as of those
# whose user is not known yet.
WAITING_BYTES: Final = 64 * 1024 * 1024

# What may become of a connection. Handed over: for its session, as a new one, or since
# this worker goes; taken; kept, for there was nobody; refused, for the other one hangs;
# and lost, for this process has no descriptor left.
OUTCOMES: Final = ("session", "new", "idle", "taken", "gone", "busy", "lost")

# Answers without a word: who wrote so early, or to a worker that hangs, is a program.
_REFUSED: Final = "HTTP/1.1 {}\r\nContent-Length: 0\r\nConnection: close\r\n{}\r\n"
_BUSY: Final = _REFUSED.format("503 Service Unavailable", "Retry-After: 1\r\n").encode()
_PIPELINED: Final = _REFUSED.format("400 Bad Request", "").encode()


class Mover:
    """Hands connections over, and takes those that others hand over.

    Args:
        server: aiohttp's.
        number: This worker's.
        channel: The way to the others.
        balance: Who takes new sessions.
        is_silent: Tells whether a worker of some number is not heard of.
        held: Counts what is held of requests that have only begun.
        arrivals: Connections that may come to nothing here.
        prove: Counts a connection among them no more: it is another worker's.

    Attributes:
        is_leaving: Set when this worker goes: new sessions, and connections between
            two requests, are others'.
        moved: What became of connections that were others', by outcome.
    """

    def __init__(
        self,
        server: web.Server,
        *,
        number: int,
        channel: Channel,
        balance: Balance,
        is_silent: Callable[[int], bool],
        held: HeldBytes,
        arrivals: Budget,
        prove: Callable[[object], None],
    ) -> None:
        self._server = server
        self._number = number
        self._channel = channel
        self._balance = balance
        self._is_silent = is_silent
        self._held = held
        self._arrivals = arrivals
        self._prove = prove
        self._waiting_bytes = 0
        self.is_leaving = False
        self.moved: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))

    def handler(self, brought: bytes = b"") -> MovingHandler:
        """Return a protocol for a new connection, with what it has brought."""
        server = self._server
        return MovingHandler(
            self, server, brought=brought, loop=server._loop, **server._kwargs
        )

    def take(self, brought: bytes, descriptor: int) -> None:
        """Take a connection that another worker hands over."""
        if read(brought).is_handshake:
            if self.is_leaving and self._pass_on(brought, descriptor):
                return
            self._balance.began()
        self.moved["taken"] += 1
        self._arrivals.take()
        adopt(socket.socket(fileno=descriptor), self.handler(brought))

    def _pass_on(self, brought: bytes, descriptor: int) -> bool:
        """Hand on what was sent before it was known that this worker goes."""
        there = self._balance.other()
        if there is None:
            return False
        try:
            sent = self._channel.send(there.number, CONNECTION, brought, descriptor)
        except Busy:
            return False
        if sent:
            self.moved["new"] += 1
            os.close(descriptor)
        return sent

    # what a connection asks

    def may_hold(self, size: int) -> bool:
        """Count a beginning that is held for its end; False: it is not held."""
        if size > HEAD_LIMIT_BYTES:
            return False
        may = self._held.change(0, size)
        if not may:
            self._held.change(size, 0)
        return may

    def let_go(self, size: int) -> None:
        """Count a beginning no more."""
        self._held.change(size, 0)

    def moves(self, handler: MovingHandler, data: bytes, asked: Asked) -> bool:
        """Hand a connection over, if its request is another worker's."""
        if asked.number is not None and asked.number != self._number:
            if self._is_silent(asked.number):
                self._give_up(handler, data)
            else:
                self._try(handler, data, asked.number, "session")
            return True
        if asked.is_handshake:
            number = self._balance.choose()
            if number is not None:
                self._try(handler, data, number, "new")
                return True
            self._balance.began()
        return False

    def leave(self) -> None:
        """Give away what is between two requests, and the rest when it is there."""
        self.is_leaving = True
        for handler in list(self._server.connections):
            self.send_on(handler)

    def send_on(self, handler: RequestHandler) -> None:
        """Give a connection to another worker, if it is between two requests."""
        if isinstance(handler, MovingHandler) and handler.is_idle:
            there = self._balance.other()
            if there is not None:
                self._try(handler, b"", there.number, "idle")

    @property
    def under_way(self) -> int:
        """How many requests are being answered."""
        found = [h for h in self._server.connections if isinstance(h, MovingHandler)]
        return sum(not each.is_idle for each in found)

    def _try(
        self,
        handler: MovingHandler,
        data: bytes,
        number: int,
        why: str,
        until: float | None = None,
    ) -> None:
        """Hand a connection over; if that cannot be now, again in a moment."""
        transport = handler.transport
        if transport is None or transport.is_closing():
            return
        loop = asyncio.get_running_loop()
        try:
            if transport.get_write_buffer_size():
                if data:
                    # It asks before it has read the last answer.
                    handler.refuse(_PIPELINED)
                    return
                raise Busy
            descriptor = transport.get_extra_info("socket").fileno()
            if self._channel.send(number, CONNECTION, data, descriptor):
                self.moved[why] += 1
                self._prove(handler)
                handler.detach()
            else:
                self.moved["gone"] += 1
                handler.serve(data)
        except Busy:
            until = loop.time() + PATIENCE_SECONDS if until is None else until
            waiting = self._waiting_bytes + len(data)
            if loop.time() >= until or waiting > WAITING_BYTES:
                self._give_up(handler, data)
                return
            self._waiting_bytes = waiting
            handler.waits = True
            transport.pause_reading()
            loop.call_later(
                AGAIN_SECONDS, self._again, handler, data, number, why, until
            )

    def _again(
        self, handler: MovingHandler, data: bytes, number: int, why: str, until: float
    ) -> None:
        self._waiting_bytes -= len(data)
        handler.waits = False
        self._try(handler, data, number, why, until)

    def _give_up(self, handler: MovingHandler, data: bytes) -> None:
        self.moved["busy"] += 1
        if data:
            handler.refuse(_BUSY)
        else:
            handler.serve(data)
