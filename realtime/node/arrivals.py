"""Connections on their way in: looked at when they come, served in turns.

A connection costs 0.1 ms before it has asked for anything, a look at its socket a tenth
of that. Once more have come to nothing than may (:mod:`realtime.engineio.attempts`),
the sockets wait, each address for itself, and those whose clients have left meanwhile
are closed unserved.
"""

import asyncio
import errno
import logging
import socket
from collections import Counter, deque
from collections.abc import Callable
from typing import Final

from aiohttp import web

from realtime.engineio.attempts import BATCH_SECONDS, Budget

# Connections taken in one turn of the event loop, each some 0.2 ms of work with its
# request: whoever is connected already is served between them.
ACCEPTS_A_TURN: Final = 16

# Sockets looked at, a second and at once, while others wait: 20 µs each.
LOOKS_A_SECOND: Final = 2_000.0
LOOKS_AT_ONCE: Final = 256

# Sockets that wait for their turn: of one address, and of all. Further ones are hung up
# on; of a proxy, through which everybody comes, they are left to the kernel. Each is a
# descriptor and 1 KB.
OWN_WAITING: Final = 256
WAITING: Final = 2_048
PROXY_PAUSE_SECONDS: Final = 0.05

# Seconds for which the kernel keeps a connection that says nothing for itself.
SILENT_SECONDS: Final = 5

# Errors of ``accept`` for which it is too early to try again, and the pause then.
EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
EXHAUSTED_SECONDS: Final = 1.0

_logger = logging.getLogger(__name__)

Factory = Callable[[], asyncio.Protocol]


class Arrivals:
    """Takes the connections of listening sockets and hands them to a server.

    Args:
        budget: Connections that may come to nothing; taken from with each.
        name_of: The address to count a peer under; empty: everybody's.
        limited: Counts those that had to wait.
    """

    def __init__(
        self,
        *,
        budget: Budget,
        name_of: Callable[[str], str],
        limited: Counter[str],
    ) -> None:
        self._budget = budget
        self._name_of = name_of
        self._limited = limited
        self._looks = Budget((LOOKS_A_SECOND, LOOKS_AT_ONCE))
        self._waiting: dict[str, deque[tuple[socket.socket, Factory]]] = {}
        self._count = 0
        self._serving: asyncio.TimerHandle | None = None
        self._beginning: set[asyncio.Task[object]] = set()

    def __len__(self) -> int:
        return self._count

    def listen(self, listener: socket.socket, factory: Factory) -> None:
        """Take the connections of a socket from now on.

        Args:
            listener: The socket.
            factory: Returns the protocol of a connection.
        """
        loop = asyncio.get_running_loop()
        loop.add_reader(listener, self._accept, listener, factory)

    def stop(self, listener: socket.socket) -> None:
        """Take no more of them; those that wait are served."""
        asyncio.get_running_loop().remove_reader(listener)
        listener.close()

    def close(self, listener: socket.socket) -> None:
        """Take no more of them, and hang up on those that wait."""
        self.stop(listener)
        for places in self._waiting.values():
            for made, _factory in places:
                made.close()
        self._waiting.clear()
        self._count = 0

    def _accept(self, listener: socket.socket, factory: Factory) -> None:
        for _ in range(ACCEPTS_A_TURN):
            if len(self._waiting.get("", ())) >= OWN_WAITING:
                self._pause(listener, factory, PROXY_PAUSE_SECONDS)
                return
            is_pressed = self._waiting or self._budget.wait_seconds()
            if is_pressed and (wait_seconds := self._looks.wait_seconds()):
                self._pause(listener, factory, wait_seconds)
                return
            try:
                made, peer = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in EXHAUSTED:
                    raise
                _logger.error("No connection can be taken: %s.", error.strerror)
                self._pause(listener, factory, EXHAUSTED_SECONDS)
                return
            made.setblocking(False)
            if is_pressed:
                self._looks.take()
                self._enqueue(made, factory, peer)
            else:
                self._begin(made, factory)

    def _pause(self, listener: socket.socket, factory: Factory, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(listener)

        def go_on() -> None:
            # It may have been closed meanwhile.
            if listener.fileno() >= 0:
                self.listen(listener, factory)

        loop.call_later(seconds, go_on)

    def _enqueue(self, made: socket.socket, factory: Factory, peer: object) -> None:
        name = self._name_of(str(peer[0])) if isinstance(peer, tuple) else ""
        places = self._waiting.get(name, ())
        self._limited["connections"] += 1
        is_full = bool(name) and len(places) >= OWN_WAITING
        if is_full or self._count >= WAITING or _has_left(made):
            made.close()
            return
        self._waiting.setdefault(name, deque()).append((made, factory))
        self._count += 1
        if self._serving is None:
            self._serve()

    def _serve(self) -> None:
        """Begin with those whose turn it is, and come again for the others."""
        self._serving = None
        while self._waiting and not self._budget.wait_seconds():
            # The address that was served goes to the end of the line.
            name = next(iter(self._waiting))
            places = self._waiting.pop(name)
            made, factory = places.popleft()
            self._count -= 1
            if places:
                self._waiting[name] = places
            if _has_left(made):
                made.close()
            else:
                self._begin(made, factory)
        if self._waiting:
            loop = asyncio.get_running_loop()
            wait_seconds = max(self._budget.wait_seconds(), BATCH_SECONDS)
            self._serving = loop.call_later(wait_seconds, self._serve)

    def _begin(self, made: socket.socket, factory: Factory) -> None:
        self._budget.take()
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.connect_accepted_socket(factory, made))
        self._beginning.add(task)
        task.add_done_callback(self._beginning.discard)


class ArrivalSite(web.BaseSite):
    """A listening socket of a runner, whose connections come through :class:`Arrivals`.

    Args:
        runner: Has the server.
        listener: The socket.
        arrivals: Takes its connections.
    """

    __slots__ = ("_arrivals", "_listener", "_serving")

    def __init__(
        self, runner: web.AppRunner, listener: socket.socket, arrivals: Arrivals
    ) -> None:
        super().__init__(runner)
        self._arrivals = arrivals
        self._listener = listener
        self._serving = runner

    @property
    def name(self) -> str:
        """Where it listens."""
        return str(self._listener.getsockname())

    async def start(self) -> None:
        """Take connections from now on."""
        await super().start()
        if self._serving.server is not None:
            self._arrivals.listen(self._listener, self._serving.server)

    async def stop(self) -> None:
        """Take no more."""
        self._arrivals.close(self._listener)
        await super().stop()


def keep_silent_ones_out(listener: socket.socket) -> None:
    """Have the kernel keep connections until they say something; Linux alone can."""
    option = getattr(socket, "TCP_DEFER_ACCEPT", None)
    if option is not None:
        listener.setsockopt(socket.IPPROTO_TCP, option, SILENT_SECONDS)


def _has_left(made: socket.socket) -> bool:
    """Return whether the client has closed its socket, and asked for nothing."""
    try:
        return not made.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
