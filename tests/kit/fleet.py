"""Nodes that are restarted one after the other, and people who talk meanwhile."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import socketio

from tests.kit.members import Member
from tests.kit.nodes import NAMESPACE, NodeProcess, start_process
from tests.kit.waiting import DEADLINE_SECONDS, MS, wait_until

ROOM = "42"

# Between two messages. An outbox holds 200: ten seconds without a connection.
EVERY_MS = 50


class Fleet:
    """Nodes as processes, each restarted on its own port."""

    def __init__(self, redis_url: str) -> None:
        self._arguments = ("--redis-url", redis_url)
        self.nodes: list[NodeProcess] = []

    @asynccontextmanager
    async def running(self, count: int) -> AsyncIterator["Fleet"]:
        """Run the nodes until the block ends."""
        try:
            for _ in range(count):
                self.nodes.append(await start_process(*self._arguments))
            for node in self.nodes:
                await node.ready()
            yield self
        finally:
            for node in self.nodes:
                await node.aclose()

    async def restart(self, index: int) -> str:
        """SIGTERM one, start it again, and return what the old one printed."""
        old = self.nodes[index]
        old.terminate()
        assert await old.ended() == 0, old.output
        self.nodes[index] = await start_process(*self._arguments, port=old.port)
        await self.nodes[index].ready()
        return old.output


class Talker(Member):
    """python-socketio's client as an application uses it: it comes back by itself.

    It says nothing from ``closing`` until it has caught up at another node.
    """

    def __init__(self, sio: socketio.AsyncClient, user: str) -> None:
        super().__init__(sio, user)
        self.sent: list[str] = []
        self.refusals: list[object] = []
        self.returns = 0
        self._may_speak = asyncio.Event()
        sio.on("connect", self._connected, namespace=NAMESPACE)
        sio.on("closing", self._closing, namespace=NAMESPACE)

    async def talk(self, until: asyncio.Event) -> None:
        """Send one text after the other, each acknowledged at the first attempt."""
        for number in itertools.count(1):
            await self._may_speak.wait()
            if until.is_set():
                return
            text = f"{self.user}{number}"
            self.sent.append(text)
            try:
                await self.send(text)
            except (AssertionError, socketio.exceptions.SocketIOError) as error:
                self.refusals.append(error)
                return
            await asyncio.sleep(EVERY_MS * MS)

    async def _connected(self) -> None:
        self.returns += 1
        cursor = self.cursors.get(ROOM)
        if cursor is None:
            ack = await self.join(ROOM)
        else:
            (ack,) = await self.sync({"room": ROOM, "cursor": cursor})
        if not ack["ok"] or (cursor and not ack["recovered"]):
            self.refusals.append(ack)
        self._may_speak.set()

    async def _closing(self, payload: object) -> None:
        self._may_speak.clear()
        await self.receive("closing", payload)


@asynccontextmanager
async def talker(url: str, user: str) -> AsyncIterator[Talker]:
    """Connect a talker until the block ends."""
    sio = socketio.AsyncClient(
        reconnection_delay=100 * MS, reconnection_delay_max=500 * MS
    )
    made = Talker(sio, user)
    try:
        await sio.connect(
            url,
            namespaces=[NAMESPACE],
            auth={"user": user},
            transports=["websocket"],
            wait_timeout=DEADLINE_SECONDS,
        )
        await wait_until(lambda: made.cursors, f"{user} is in the room")
        yield made
        assert not made.problems, made.problems
        assert not made.faults, made.faults
    finally:
        await sio.shutdown()
