"""A server of several workers, and what can be seen of it from outside."""

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from realtime.engineio.sid_marks import mark_of
from tests.kit.nodes import HOST, NodeProcess
from tests.kit.waiting import DEADLINE_SECONDS, MS, wait_until, wait_until_sync

# Three interpreters start, one of them after the other.
START_SECONDS = 60_000 * MS
STOP_SECONDS = 20_000 * MS

SAMPLE = re.compile(r"^(\w+)\{(.*)\} (\S+)$", re.M)
PATH = "/socket.io/?EIO=4&transport={}"


@dataclass(frozen=True)
class Worker:
    """A worker's process."""

    slot: int
    number: int
    pid: int


class Crew:
    """A running server.

    Attributes:
        node: Its supervisor.
    """

    def __init__(self, node: NodeProcess) -> None:
        self.node = node

    @property
    def url(self) -> str:
        """Where it serves."""
        return self.node.url

    @property
    def workers(self) -> list[Worker]:
        """The workers that there are, by slot."""
        found = []
        for pid in children(self.node.process.pid):
            try:
                words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            except FileNotFoundError:
                continue
            if "realtime.workers" in words:
                seat = json.loads(words[words.index("realtime.workers") + 1])
                found.append(Worker(seat["slot"], seat["number"], pid))
        return sorted(found, key=lambda each: each.slot)

    async def numbers(self, name: str, **labels: str) -> dict[str, float]:
        """Return the samples of a metric by the label ``worker``."""
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{self.url}/metrics") as answer,
        ):
            text = await answer.text()
        assert answer.status == 200, text
        found = {}
        for sample, said, value in SAMPLE.findall(text):
            known = dict(re.findall(r'(\w+)="([^"]*)"', said))
            if sample == name and labels.items() <= known.items():
                found[known.get("worker", "")] = float(value)
        return found

    async def reload(self) -> None:
        """SIGHUP, and return when it has succeeded or failed."""
        before = await self._reloads()
        self.node.signal(signal.SIGHUP)

        async def is_over() -> bool:
            return await self._reloads() > before

        await wait_until(is_over, "the workers were replaced", seconds=60_000 * MS)

    async def _reloads(self) -> float:
        name = "chatroom_worker_reloads_total"
        return sum(
            [
                (await self.numbers(name, outcome=outcome))[""]
                for outcome in ("done", "failed")
            ]
        )


@contextmanager
def crew(
    redis_url: str | None,
    count: int = 3,
    *flags: str,
    variables: Mapping[str, str] | None = None,
) -> Iterator[Crew]:
    """Run a server with workers until the block ends; it ends in good order.

    Args:
        redis_url: Its Redis; None: the embedded one, which needs a ``--data-dir``.
        count: How many workers.
        flags: More of ``serve``.
        variables: Environment variables.
    """
    redis = () if redis_url is None else ("--redis-url", redis_url)
    node = NodeProcess(
        *redis, "--workers", str(count), *flags, port=0, **(variables or {})
    )
    node.start()
    try:
        wait_until_sync(
            lambda: node.is_serving() or not node.running,
            "all workers serve",
            seconds=START_SECONDS,
        )
        assert node.running, node.output
        yield Crew(node)
    finally:
        if node.running:
            # Killed, it would leave workers for a moment, which write to Redis.
            node.terminate()
            wait_until_sync(lambda: not node.running, "end", seconds=STOP_SECONDS)
        output = node.output
        node.log.unlink()
    assert "Traceback" not in output, output


def children(pid: int) -> list[int]:
    """Return the processes that a process has started; none if it is gone."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return list(map(int, found.split()))


class Line:
    """One HTTP connection that is kept, and whose bytes are the test's own."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader = reader
        self._writer = writer

    def write(self, data: bytes) -> None:
        """Send bytes, in a segment of their own."""
        self._writer.write(data)

    async def answer(self) -> tuple[int, str]:
        """Return status and body of the next answer."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
            size = re.search(r"content-length: (\d+)", head, re.I)
            body = await self._reader.readexactly(int(size[1]) if size else 0)
        return int(head.split(" ", 2)[1]), body.decode()

    async def read(self, size: int) -> bytes:
        """Return so many bytes."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await self._reader.readexactly(size)

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, str]:
        """Send a request and return status and body of its answer."""
        self.write(request(method, path, body))
        return await self.answer()

    async def handshake(self) -> str:
        """Begin a session and return its id."""
        status, body = await self.ask("GET", PATH.format("polling"))
        assert status == 200, body
        sid: str = json.loads(body[1:])["sid"]
        return sid


@asynccontextmanager
async def line(port: int) -> AsyncIterator[Line]:
    """Open a connection."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        yield Line(reader, writer)
    finally:
        writer.transport.abort()


def request(
    method: str,
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Return the bytes of a request."""
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: {HOST}",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
        *([f"Content-Length: {len(body)}"] if body else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def sessions_everywhere(crew: Crew) -> dict[int, str]:
    """Begin polling sessions until each worker has one; return a sid of each."""
    wanted = {each.number for each in crew.workers}
    found: dict[int, str] = {}

    async def begin() -> bool:
        async with line(crew.node.port) as one:
            sid = await one.handshake()
        found[mark_of(sid)] = sid
        return found.keys() == wanted

    await wait_until(begin, "each worker has a session")
    return found
