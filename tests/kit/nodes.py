"""Real nodes for tests: inside the test's process, or as processes to be killed."""

import asyncio
import os
import re
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import socketio
from aiohttp import web

from realtime.node.app import NODE, create_app
from realtime.node.app import Node as RunningNode
from realtime.node.settings import Settings
from realtime.node.wiring import Parts
from realtime.redis.valkey_process import die_with_parent
from realtime.services import Services
from tests.kit.waiting import DEADLINE_SECONDS

HOST = "127.0.0.1"
NAMESPACE = "/chat"
# The lines of a node process that are kept for the text of a failure.
KEPT_LINES = 200
# Longest start of a process, on a busy machine that has not run one before.
START_SECONDS = 2 * DEADLINE_SECONDS
READY_LINE = re.compile(r"http://[^\s:]+:(\d+)")


@dataclass(frozen=True)
class Node:
    """A node inside the test's process."""

    url: str
    app: web.Application

    @property
    def running(self) -> RunningNode:
        """The product's own object."""
        return self.app[NODE]

    @property
    def parts(self) -> Parts:
        """What it consists of."""
        return self.running.parts

    @property
    def services(self) -> Services:
        """What its handlers are given."""
        return self.parts.services


@asynccontextmanager
async def run_nodes(
    count: int, redis_url: str, **settings: Any
) -> AsyncIterator[list[Node]]:
    """Run nodes on free ports, sharing one Redis, until the block ends.

    Args:
        count: How many.
        redis_url: Their Redis.
        settings: Fields of :class:`Settings`, for all of them.
    """
    # Tests write faster than people; those of the limits set some.
    settings = {"rates": "off", **settings}
    chosen = Settings(host=HOST, port=0, redis_url=redis_url, **settings)
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(_node(chosen)) for _ in range(count)]


@asynccontextmanager
async def _node(settings: Settings) -> AsyncIterator[Node]:
    app = create_app(settings)
    runner = web.AppRunner(app, shutdown_timeout=settings.shutdown_seconds)
    try:
        await runner.setup()
        site = web.TCPSite(runner, settings.host, settings.port)
        await site.start()
        port = runner.addresses[0][1]
        yield Node(url=f"http://{HOST}:{port}", app=app)
    finally:
        await runner.cleanup()


class NodeProcess:
    """A node as a process of its own, by ``python -m realtime serve``.

    It dies with the test process. ``lines`` holds the last lines that it printed.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self.url = ""
        self.port = 0
        self._ready = asyncio.Event()
        self._reading = asyncio.create_task(self._read(), name="node-output")

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def output(self) -> str:
        """The last lines of its output."""
        return "\n".join(self.lines)

    async def ready(self) -> None:
        """Return when the node says where it serves."""
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._ready.wait()
        except TimeoutError:
            raise AssertionError(f"the node is not ready:\n{self.output}") from None
        assert self.port, f"the node ended:\n{self.output}"

    def kill(self) -> None:
        """SIGKILL: no farewell."""
        self._process.kill()

    def pause(self) -> None:
        """SIGSTOP: alive to the kernel, dead to everybody else."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._process.send_signal(signal.SIGCONT)

    def interrupt(self) -> None:
        """SIGINT, as Ctrl-C sends it."""
        self._process.send_signal(signal.SIGINT)

    def terminate(self) -> None:
        """SIGTERM: the node is to go in good order."""
        self._process.terminate()

    async def ended(self) -> int:
        """Wait for its end and return the exit code."""
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                # Shielded: a deadline missed here must not end the reading task.
                await asyncio.shield(self._reading)
                return await self._process.wait()
        except TimeoutError:
            raise AssertionError(f"the node does not end:\n{self.output}") from None

    async def aclose(self) -> None:
        """End it, if it has not ended."""
        if self._process.returncode is None:
            self._process.kill()
        await self.ended()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            text = line.decode().rstrip()
            self.lines.append(text)
            found = READY_LINE.search(text)
            if found and not self.port:
                self.port = int(found[1])
                self.url = f"http://{HOST}:{self.port}"
                self._ready.set()
        self._ready.set()


@asynccontextmanager
async def run_process(
    *arguments: str, port: int = 0, **variables: str
) -> AsyncIterator[NodeProcess]:
    """Run ``serve`` as a process and wait until it is ready.

    Args:
        arguments: More flags of ``serve``: ``"--redis-url", redis_url`` for one.
        port: Where to listen; give a dead node's port to take its place.
        variables: Environment variables besides this process's own.
    """
    node = await start_process(*arguments, port=port, **variables)
    try:
        await node.ready()
        yield node
    finally:
        await node.aclose()


async def start_process(
    *arguments: str, port: int = 0, **variables: str
) -> NodeProcess:
    """Start ``serve`` and return at once; the caller closes it."""
    command = ["-m", "realtime", "serve", "--host", HOST, "--port", str(port)]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            "CHATROOM_RATES": "off",
            **variables,
        },
        preexec_fn=die_with_parent(),
    )
    return NodeProcess(process)


@asynccontextmanager
async def client(
    node: Node | NodeProcess, user: str, **options: Any
) -> AsyncIterator[socketio.AsyncClient]:
    """Connect python-socketio's client to ``/chat`` as ``user`` until the block ends.

    Args:
        node: Where to connect.
        user: The name, taken in development mode.
        options: Keywords of ``AsyncClient``; ``reconnection`` is off unless given.
    """
    async with connected(node, {"user": user}, **options) as sio:
        yield sio


@asynccontextmanager
async def connected(
    node: Node | NodeProcess, auth: object, **options: Any
) -> AsyncIterator[socketio.AsyncClient]:
    """Do what :func:`client` does with any ``auth``; a refusal is raised."""
    sio = socketio.AsyncClient(**{"reconnection": False, **options})
    try:
        await sio.connect(
            node.url,
            namespaces=[NAMESPACE],
            auth=auth,
            transports=["websocket"],
            wait_timeout=DEADLINE_SECONDS,
        )
        yield sio
    finally:
        await sio.shutdown()
