"""One user who floods a node, over several connections."""

import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable

from benchmarks.flood.frames import (
    CHUNKS,
    KINDS,
    UPGRADE,
    chunks,
    event,
    frame,
    message,
    post,
)
from benchmarks.flood.strangers import POLLING, get, sid_of

# ``nothing`` is the control: what the machine alone makes of two calm times.
USERS = ("nothing", *KINDS, "polling", "connects")

CONNECT_SECONDS = 10.0
READ_BYTES = 256 * 1024
POST_PACKETS = 1_000
CONNECTS_AT_ONCE = 16
# Pause of a connection that the server closed, before it comes again.
PAUSE_SECONDS = 0.05


class Flood:
    """Connections of one user, and what came back.

    Args:
        port: The node's.
        token: The user's.
        room: Where it goes.
        begin: Called when all is ready; returns when it is to begin.
    """

    def __init__(
        self, port: int, token: str, room: str, begin: Callable[[], None]
    ) -> None:
        self._port = port
        self._token = token
        self._room = room
        self._begin = begin
        self._selector = selectors.DefaultSelector()
        self._events = selectors.EVENT_READ | selectors.EVENT_WRITE
        self._chunks: list[bytes] = []
        # By connection: which chunk it writes, and how much of that is written.
        self._at: dict[socket.socket, tuple[int, int]] = {}
        self._returns: list[float] = []
        self.found: Counter[str] = Counter()

    def run(self, kind: str, count: int, seconds: float) -> None:
        """Flood over some connections, for some seconds."""
        if kind == "nothing":
            self._idle(count, seconds)
        elif kind == "connects":
            self._connects(seconds)
        elif kind == "polling":
            self._polling(count, seconds)
        else:
            self._websocket(kind, count, seconds)

    def _connect(self) -> socket.socket:
        """Return a connection that has joined the room.

        Raises:
            OSError: It was refused.
        """
        link = socket.create_connection(("127.0.0.1", self._port), CONNECT_SECONDS)
        link.sendall(UPGRADE)
        read_until(link, b"pingInterval")
        link.sendall(frame(f'40/chat,{{"token":"{self._token}"}}'))
        read_until(link, b"40/chat,")
        link.sendall(frame(event("join", {"room": self._room})))
        read_until(link, b"43/chat,7")
        link.setblocking(False)
        return link

    def _idle(self, count: int, seconds: float) -> None:
        """Be there, and ask for nothing."""
        links = [self._connect() for _ in range(count)]
        self._begin()
        time.sleep(seconds)
        for link in links:
            link.close()

    def _websocket(self, kind: str, count: int, seconds: float) -> None:
        """Write without a pause on some connections, and read what comes."""
        self._chunks = chunks(KINDS[kind], self._room)
        if kind == "unread":
            self._events = selectors.EVENT_WRITE
        links = [self._connect() for _ in range(count)]
        self._begin()
        for number, link in enumerate(links):
            self._at[link] = (number % CHUNKS, 0)
            self._selector.register(link, self._events)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for key, ready in self._selector.select(0.05):
                self._serve(key.fileobj, ready)  # type: ignore[arg-type]
            if self._returns and self._returns[0] <= time.monotonic():
                self._come_back()

    def _serve(self, link: socket.socket, ready: int) -> None:
        try:
            if ready & selectors.EVENT_READ:
                self._read(link)
            if ready & selectors.EVENT_WRITE:
                self._write(link)
        except BlockingIOError:
            return
        except OSError:
            self._drop(link)

    def _write(self, link: socket.socket) -> None:
        chunk, at = self._at[link]
        sent = link.send(memoryview(self._chunks[chunk])[at:])
        self.found["bytes"] += sent
        at += sent
        if at == len(self._chunks[chunk]):
            chunk, at = (chunk + 1) % CHUNKS, 0
        self._at[link] = (chunk, at)

    def _come_back(self) -> None:
        self._returns.pop(0)
        try:
            link = self._connect()
        except OSError:
            self.found["refused connects"] += 1
            self._returns.append(time.monotonic() + PAUSE_SECONDS)
            return
        self._at[link] = (0, 0)
        self._selector.register(link, self._events)

    def _drop(self, link: socket.socket) -> None:
        self.found["closed by the server"] += 1
        self._selector.unregister(link)
        link.close()
        if self._at.pop(link, None) is not None:
            self._returns.append(time.monotonic() + PAUSE_SECONDS)

    def _read(self, link: socket.socket) -> None:
        data = link.recv(READ_BYTES)
        if not data:
            raise ConnectionResetError
        self.found["rate_limited"] += data.count(b'"rate_limited"')
        self.found["ok"] += data.count(b'"ok":true')
        self.found["other errors"] += data.count(b'"code":"invalid"')
        self.found["other errors"] += data.count(b'"code":"unknown_event"')

    def _connects(self, seconds: float) -> None:
        """Connect, join and hang up, over and over, on several sockets at a time."""
        steps: dict[socket.socket, int] = {}
        self._begin()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            while len(steps) < CONNECTS_AT_ONCE:
                link = socket.create_connection(("127.0.0.1", self._port), 5)
                link.sendall(UPGRADE)
                link.setblocking(False)
                steps[link] = 0
                self._selector.register(link, selectors.EVENT_READ)
            for key, _ready in self._selector.select(0.05):
                link = key.fileobj  # type: ignore[assignment]
                step = self._step(link, steps.pop(link))
                if step is not None:
                    steps[link] = step
                else:
                    self._selector.unregister(link)
                    link.close()

    def _step(self, link: socket.socket, step: int) -> int | None:
        """Go on with a connect; return None when nothing more is to be done."""
        try:
            data = link.recv(READ_BYTES)
            if step == 0 and b"pingInterval" in data:
                link.send(frame(f'40/chat,{{"token":"{self._token}"}}'))
                return 1
            if step == 1 and b"40/chat," in data:
                self.found["connects"] += 1
                link.send(frame(event("join", {"room": self._room})))
                return 2
            if step == 2 and b"43/chat,7" in data:
                self.found["joins"] += 1
                return None
        except OSError:
            data = b""
        if data and not data.startswith(b"HTTP/1.1 4") and b"44/chat," not in data:
            # Half of an answer, or somebody's message.
            return step
        self.found["refused connects"] += 1
        return None

    def _polling(self, count: int, seconds: float) -> None:
        """Post a thousand packets at a time, and fetch the answers."""
        links: list[socket.socket] = []
        texts: dict[socket.socket, bytes] = {}
        for _ in range(count):
            poster = socket.create_connection(("127.0.0.1", self._port), 10)
            getter = socket.create_connection(("127.0.0.1", self._port), 10)
            getter.sendall(get(POLLING))
            sid = sid_of(read_until(getter, b"pingTimeout"))
            poll = get(f"{POLLING}&sid={sid}")
            poster.sendall(post(POLLING, sid, f'40/chat,{{"token":"{self._token}"}}'))
            read_until(poster, b"ok")
            getter.sendall(poll)
            read_until(getter, b"40/chat,")
            poster.sendall(post(POLLING, sid, event("join", {"room": self._room})))
            read_until(poster, b"ok")
            body = "\x1e".join(
                message(number, self._room, "x" * 100) for number in range(POST_PACKETS)
            )
            texts[poster] = post(POLLING, sid, body)
            texts[getter] = poll
            links += [poster, getter]
        self._begin()
        for link in links:
            link.settimeout(5)
            link.sendall(texts[link])
            self._selector.register(link, selectors.EVENT_READ)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for key, _ready in self._selector.select(0.05):
                link = key.fileobj  # type: ignore[assignment]
                try:
                    self._read(link)
                    # An answer in two pieces only makes the next request come early.
                    link.sendall(texts[link])
                    self.found["bytes"] += len(texts[link])
                except OSError:
                    self._drop(link)


def read_until(link: socket.socket, wanted: bytes) -> bytes:
    """Read until something has come; return all that came.

    Raises:
        ConnectionResetError: It never came.
    """
    data = b""
    while wanted not in data:
        got = link.recv(READ_BYTES)
        if not got:
            raise ConnectionResetError(data[:200])
        data += got
    return data
