"""Somebody honest who comes in again and again, and an operator who asks how it is."""

import json
import socket
import threading
import time
import urllib.request
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from benchmarks.flood.frames import UPGRADE, event, frame
from benchmarks.flood.users import read_until

# Between two who come; one who waits as long as that is one of the slow.
EVERY_SECONDS = 0.2
DEADLINE_SECONDS = 10.0


class Newcomers(threading.Thread):
    """Times how long it takes to connect and join, and an answer of ``/readyz``.

    Each user comes once and from an address of their own, as behind a trusted proxy.

    Args:
        port: The node's.
        tokens: Of the users who come.
    """

    def __init__(self, port: int, tokens: Iterable[str]) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._tokens = iter(tokens)
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._connects: list[float] = []
        self._answers: list[float] = []

    def __enter__(self) -> Self:
        """Begin to come."""
        self.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Come no more."""
        self._ended.set()
        self.join()

    def taken(self) -> tuple[list[float], list[float]]:
        """Return the seconds of the connects and of the answers since the last call."""
        with self._lock:
            found = self._connects, self._answers
            self._connects, self._answers = [], []
        return found

    def run(self) -> None:
        """Come until it is ended."""
        number = 0
        while not self._ended.wait(EVERY_SECONDS):
            number += 1
            connect = _seconds(self._connect, number)
            answer = _seconds(self._ask, number)
            with self._lock:
                self._connects.append(connect)
                self._answers.append(answer)

    def _connect(self, number: int) -> None:
        origin = f"X-Forwarded-For: 203.0.{number // 250 % 250}.{number % 250}\r\n\r\n"
        where = ("127.0.0.1", self._port)
        with socket.create_connection(where, DEADLINE_SECONDS) as link:
            link.sendall(UPGRADE[:-2] + origin.encode())
            read_until(link, b"pingInterval")
            link.sendall(frame("40/chat," + json.dumps({"token": next(self._tokens)})))
            read_until(link, b"40/chat,")
            link.sendall(frame(event("join", {"room": "newcomers"})))
            read_until(link, b"43/chat,7")

    def _ask(self, _number: int) -> None:
        url = f"http://127.0.0.1:{self._port}/readyz"
        with urllib.request.urlopen(url, timeout=DEADLINE_SECONDS) as answer:
            answer.read()


def _seconds(step: object, number: int) -> float:
    began = time.monotonic()
    try:
        step(number)  # type: ignore[operator]
    except OSError:
        return DEADLINE_SECONDS
    return time.monotonic() - began
