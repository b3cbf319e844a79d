"""One attack on a node: ``python -m benchmarks.flood.flooder``.

What it writes is built before the start, and goes out whenever the kernel takes it;
answers are only counted.
"""

import base64
import json
import selectors
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from benchmarks.flood.strangers import Attack, attacks
from benchmarks.flood.users import READ_BYTES, USERS, Flood
from benchmarks.processes import raise_descriptor_limit
from realtime.node.settings import SOURCE_PAGE

# Pause of a connection that was refused or closed, before it comes again.
PAUSE_SECONDS = 0.01
# The system cannot connect at all: its backlog is full.
TIMEOUT_SECONDS = 5.0

# Closed by a reset: no port stays behind in TIME_WAIT.
RESET = struct.pack("ii", 1, 0)


class Crowd:
    """Connections of strangers who all do the same.

    Args:
        port: The node's.
        attack: What they do.
    """

    def __init__(self, port: int, attack: Attack) -> None:
        self._port = port
        self._attack = attack
        self._selector = selectors.DefaultSelector()
        self._step: dict[socket.socket, int] = {}
        self._unsent: dict[socket.socket, memoryview] = {}
        self._returns: list[float] = []
        self._turn = 0
        self.found: Counter[str] = Counter()

    def run(self, seconds: float, begin: Callable[[], None]) -> None:
        """Attack for some seconds, once ``begin`` returns."""
        begin()
        until = time.monotonic() + seconds
        self._returns = [0.0] * self._attack.connections
        while (now := time.monotonic()) < until:
            self._come(now)
            for key, ready in self._selector.select(0.01):
                link: socket.socket = key.fileobj  # type: ignore[assignment]
                try:
                    self._serve(link, ready)
                except BlockingIOError:
                    continue
                except OSError:
                    self._drop(link, "ended by the server")

    def _come(self, now: float) -> None:
        while self._returns and self._returns[0] <= now:
            self._returns.pop(0)
            link = socket.socket()
            link.setblocking(False)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if not self._attack.reads:
                link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            link.connect_ex(("127.0.0.1", self._port))
            self._step[link] = -1
            self._selector.register(link, selectors.EVENT_WRITE)

    def _serve(self, link: socket.socket, ready: int) -> None:
        if self._step[link] < 0:
            if link.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise ConnectionRefusedError
            self.found["connections"] += 1
            self._go_on(link, b"")
            return
        if ready & selectors.EVENT_READ:
            data = link.recv(READ_BYTES)
            if not data:
                raise ConnectionResetError
            self.found["bytes read"] += len(data)
            if data.startswith(b"HTTP/1.1 "):
                self.found[data[9:12].decode()] += 1
            if link not in self._unsent:
                self._go_on(link, data)
        if ready & selectors.EVENT_WRITE:
            self._write(link)

    def _go_on(self, link: socket.socket, answer: bytes) -> None:
        """Take the next step, which the answer to the one before allows."""
        steps, then = self._attack.steps, self._attack.then
        number = self._step[link]
        if number + 1 < len(steps):
            number += 1
        elif then == "close":
            return self._drop(link, "hung up")
        elif then in ("repeat", "pour") and steps:
            self.found["repeats"] += 1
        else:
            return self._watch(link, selectors.EVENT_READ)
        self._step[link] = max(number, 0)
        if not steps:
            return self._watch(link, selectors.EVENT_READ)
        step = steps[number]
        if isinstance(step, list):
            self._turn += 1
            step = step[self._turn % len(step)]
        self._unsent[link] = memoryview(
            step if isinstance(step, bytes) else step(answer)
        )
        return self._write(link)

    def _write(self, link: socket.socket) -> None:
        unsent = self._unsent.get(link)
        if unsent is None:
            return None
        reads = selectors.EVENT_READ if self._attack.reads else 0
        try:
            sent = link.send(unsent)
        except BlockingIOError:
            sent = 0
        self.found["bytes sent"] += sent
        self._unsent[link] = unsent = unsent[sent:]
        if unsent:
            return self._watch(link, reads | selectors.EVENT_WRITE)
        del self._unsent[link]
        if self._attack.then == "pour":
            return self._go_on(link, b"")
        return self._watch(link, reads)

    def _watch(self, link: socket.socket, events: int) -> None:
        if not self._attack.reads:
            events &= selectors.EVENT_WRITE
        registered = link in self._selector.get_map()
        if registered and events:
            self._selector.modify(link, events)
        elif registered:
            self._selector.unregister(link)
        elif events:
            self._selector.register(link, events)

    def _drop(self, link: socket.socket, why: str) -> None:
        self.found[why] += 1
        if link in self._selector.get_map():
            self._selector.unregister(link)
        link.close()
        self._unsent.pop(link, None)
        self._step.pop(link, None)
        pause = 0.0 if why == "hung up" else PAUSE_SECONDS
        self._returns.append(time.monotonic() + pause)


def _go() -> None:
    """Say that all is ready, and wait for the word."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()


def _run(kind: str, port: int, token: str, count: int, seconds: float) -> Counter[Any]:
    if kind in USERS:
        flood = Flood(port, token, "calm-0", _go)
        flood.run(kind, count, seconds)
        return flood.found
    crowd = Crowd(port, attacks(SOURCE_PAGE)[kind])
    crowd.run(seconds, _go)
    return crowd.found


def main() -> None:
    """Attack as the arguments say; print what came back as JSON."""
    kind, port, token, count, seconds = sys.argv[1:]
    raise_descriptor_limit()
    name = base64.b64decode(token).decode()
    found = _run(kind, int(port), name, int(count), float(seconds))
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
