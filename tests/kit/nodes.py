"""Real nodes for tests: inside the test's process, or as processes to be killed."""

import os
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import socketio
from aiohttp import web

from realtime.node.app import NODE, create_app
from realtime.node.app import Node as RunningNode
from realtime.node.settings import Settings
from realtime.node.wiring import Parts
from realtime.services import Services
from tests.kit.waiting import DEADLINE_SECONDS, MS, wait_until
from verify.harness import nodes as harness

HOST = harness.HOST
NAMESPACE = "/chat"
# Its end in good order; while Redis hangs it would take longer.
STOP_SECONDS = 2_000 * MS


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
    # They make rooms by joining them, with keys as well.
    settings = {"rates": "off", "open_rooms": True, **settings}
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


class NodeProcess(harness.NodeProcess):
    """A node as a process of its own, with its output in a temporary file.

    It dies with the test process.
    """

    def __init__(self, *flags: str, port: int = 0, **variables: str) -> None:
        with tempfile.NamedTemporaryFile(prefix="chatroom-", delete=False) as file:
            log = Path(file.name)
        environment = {
            "PYTHONUNBUFFERED": "1",
            "CHATROOM_RATES": "off",
            "CHATROOM_OPEN_ROOMS": "true",
            **variables,
        }
        super().__init__(*flags, log=log, port=port, environment=environment)
        self._last_output: str | None = None

    @property
    def output(self) -> str:
        """All that it printed, after its end as well."""
        return super().output if self._last_output is None else self._last_output

    def terminate(self) -> None:
        """SIGTERM: it is to go in good order."""
        self.signal(signal.SIGTERM)

    def interrupt(self) -> None:
        """SIGINT, as Ctrl-C sends it."""
        self.signal(signal.SIGINT)

    async def aclose(self) -> None:
        """End it, if it has not ended, and remove the file."""
        if self.running and "COVERAGE_PROCESS_CONFIG" in os.environ:
            # What is killed does not write down which lines it ran.
            self.terminate()
            self.signal(signal.SIGCONT)
            with suppress(AssertionError):
                await wait_until(
                    lambda: not self.running, "it ends", seconds=STOP_SECONDS
                )
        self.kill()
        self._last_output = self.output
        self.log.unlink(missing_ok=True)


@asynccontextmanager
async def run_process(
    *flags: str, port: int = 0, **variables: str
) -> AsyncIterator[NodeProcess]:
    """Run ``serve`` as a process and wait until it is ready.

    Args:
        flags: More flags of ``serve``: ``"--redis-url", redis_url`` for one.
        port: Where to listen; give a dead node's port to take its place.
        variables: Environment variables besides this process's own.
    """
    node = await start_process(*flags, port=port, **variables)
    try:
        await node.ready()
        yield node
    finally:
        await node.aclose()


async def start_process(*flags: str, port: int = 0, **variables: str) -> NodeProcess:
    """Start ``serve`` and return at once; the caller closes it."""
    node = NodeProcess(*flags, port=port, **variables)
    node.start()
    return node


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
    # It comes with the answer to the connect, before anybody else listens.
    hello: list[Any] = []
    sio.on("hello", hello.append, namespace=NAMESPACE)
    sio.hello = hello
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
