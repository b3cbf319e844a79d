"""How workers hand each other connections: messages with a descriptor in each.

A message is a kind of one byte and some data; the descriptor is the connection's. The
sockets are files in a folder that is this user's alone: whoever may write to them may
pass connections off as clients'.
"""

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

# The longest message: what one read of a connection brings, behind the longest line
# that was held for its end, twice over.
MESSAGE_BYTES: Final = 96 * 1024

# Messages taken from one worker in a turn of the event loop, each some 0.2 ms of work
# with its request; as many as connections are.
A_TURN: Final = 16

# Until a worker without a place for one more descriptor tries again.
AGAIN_SECONDS: Final = 1.0

# Messages that may wait to be taken, of all workers that connect in one moment.
_BACKLOG: Final = 128

# The kernel has no place now, in a socket or in its table of descriptors on the way.
_BUSY: Final = frozenset(
    {errno.EAGAIN, errno.ENOBUFS, errno.ETOOMANYREFS, errno.EMFILE, errno.ENFILE}
)
# Nobody is there, or nobody any more.
_GONE: Final = frozenset(
    {errno.ENOENT, errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN}
)

_logger = logging.getLogger(__name__)

Took = Callable[[bytes, bytes, int], None]


class Busy(Exception):  # noqa: N818 - as asyncio's QueueFull
    """A worker takes nothing now; it may in a moment."""


def path_of(folder: Path, number: int) -> Path:
    """Return where a worker listens to the others."""
    return folder / f"w{number}.sock"


class Channel:
    """A worker's way to the others.

    Args:
        folder: Where all of them listen.
        number: This worker's.
        took: Called with the kind, the data and the descriptor of each message; the
            descriptor is the callee's then.
        lost: Called when a descriptor could not be taken: this process has no place.
    """

    def __init__(
        self, folder: Path, number: int, *, took: Took, lost: Callable[[], None]
    ) -> None:
        self._folder = folder
        self._path = path_of(folder, number)
        self._took = took
        self._lost = lost
        self._listener: socket.socket | None = None
        self._from: set[socket.socket] = set()
        self._to: dict[int, socket.socket] = {}

    def open(self) -> None:
        """Listen to the others.

        Raises:
            OSError: It cannot.
        """
        self._listener = listener = _new_socket()
        listener.bind(str(self._path))
        self._path.chmod(0o600)
        listener.listen(_BACKLOG)
        asyncio.get_running_loop().add_reader(listener, self._accept)

    def send(self, number: int, kind: bytes, data: bytes, descriptor: int) -> bool:
        """Send a message now; return False if there is no such worker.

        Raises:
            Busy: It takes none now.
        """
        for connection in (self._to.get(number), None):
            try:
                there = connection or self._connect(number)
                socket.send_fds(there, [kind + data], [descriptor])
            except OSError as error:
                if error.errno in _BUSY:
                    raise Busy from None
                if error.errno not in _GONE:
                    raise
                self._forget(number)
                if connection is None:
                    return False
            else:
                return True
        return False

    def forget_all_but(self, numbers: Collection[int]) -> None:
        """Let go of the ways to workers that are no more."""
        for number in self._to.keys() - set(numbers):
            self._forget(number)

    def shut(self) -> None:
        """Take nothing from now on, once all that was sent before is taken."""
        self._path.unlink(missing_ok=True)
        if self._listener is None:
            return
        self._accept()
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()
        self._listener = None
        for connection in list(self._from):
            # Who sends now is told that nobody is there; what was sent is read first.
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
            while self._take(connection):
                pass
            self._let_go(connection)

    def close(self) -> None:
        """Let go of everything."""
        self.shut()
        self.forget_all_but(())

    def _connect(self, number: int) -> socket.socket:
        made = _new_socket()
        try:
            made.connect(str(path_of(self._folder, number)))
        except OSError:
            made.close()
            raise
        self._to[number] = made
        return made

    def _forget(self, number: int) -> None:
        found = self._to.pop(number, None)
        if found is not None:
            found.close()

    def _accept(self) -> None:
        listener = self._listener
        if listener is None:
            return
        loop = asyncio.get_running_loop()
        try:
            while True:
                made, _address = listener.accept()
                made.setblocking(False)
                self._from.add(made)
                loop.add_reader(made, self._take, made)
        except BlockingIOError:
            return
        except OSError as error:
            # As asyncio does it: it would be called again at once, for ever.
            _logger.error("Another worker cannot be listened to: %s.", error.strerror)
            loop.remove_reader(listener)
            loop.call_later(AGAIN_SECONDS, self._accept_again)

    def _accept_again(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def _let_go(self, connection: socket.socket) -> None:
        if connection in self._from:
            asyncio.get_running_loop().remove_reader(connection)
            self._from.discard(connection)
            connection.close()

    def _take(self, connection: socket.socket) -> bool:
        """Take some messages; return whether there may be more."""
        for _ in range(A_TURN):
            try:
                message, found, flags, _address = socket.recv_fds(
                    connection, MESSAGE_BYTES + 1, 1, socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                return False
            except OSError:
                message, found, flags = b"", [], 0
            if not message:
                self._let_go(connection)
                return False
            if len(found) != 1 or flags & socket.MSG_CTRUNC:
                self._lost()
                _logger.error("A connection could not be taken: too many open files.")
                for each in found:
                    os.close(each)
                continue
            self._took(message[:1], message[1:], found[0])
        return True


def _new_socket() -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    made.setblocking(False)
    return made
