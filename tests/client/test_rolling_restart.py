"""Three nodes are restarted in turn while people chat, and nobody minds."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import socketio

from tests.client.chatting import (
    ROOM,
    all_shown,
    check_histories,
    in_room,
    stored,
)
from tests.kit.balancer import HealthBalancer
from tests.kit.javascript import Program, require_node
from tests.kit.members import Member, all_see
from tests.kit.nodes import NAMESPACE, NodeProcess, start_process
from tests.kit.waiting import DEADLINE_SECONDS, MS, wait_until

pytestmark = [pytest.mark.long, pytest.mark.timeout(120)]

EVERY_MS = 50
"""An outbox holds 200 messages: ten seconds without a connection, on a busy machine."""

BETWEEN = 40
"""Messages that everybody sees between two restarts."""

HARMLESS = {"connecting", "online", "reconnecting"}
"""States that are no error: a page says that it is coming back."""


@pytest.fixture(autouse=True)
def _needs_node() -> None:
    require_node()


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


async def test_a_rolling_restart_is_not_felt(redis_url: str) -> None:
    """No send fails or is repeated for an error; one history, the same for all."""
    async with AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(Fleet(redis_url).running(3))
        balancer = await stack.enter_async_context(
            HealthBalancer([node.port for node in fleet.nodes]).running()
        )
        programs = [
            await stack.enter_async_context(in_room(balancer.url, user))
            for user in ("ann", "ben", "cem")
        ]
        talkers = [
            await stack.enter_async_context(talker(balancer.url, user))
            for user in ("dan", "eva", "fee")
        ]
        over = asyncio.Event()
        async with asyncio.TaskGroup() as talking:
            for each in talkers:
                talking.create_task(each.talk(over))
            for program, prefix in zip(programs, "abc", strict=True):
                program.tell(
                    "flow", room=ROOM, count=10_000, everyMs=EVERY_MS, prefix=prefix
                )
            for index in range(3):
                await goes_on(programs, talkers)
                said = await fleet.restart(index)
                assert "not finished in time" not in said
                await wait_until(
                    lambda: len(balancer.ready) == 3, "the balancer has three nodes"
                )
            await goes_on(programs, talkers)
            over.set()
            for program in programs:
                program.tell("hush")
        await check(redis_url, programs, talkers)
        assert all("Traceback" not in node.output for node in fleet.nodes)


async def goes_on(programs: list[Program], talkers: list[Talker]) -> None:
    """Return when everybody has seen some more messages."""
    goals = [len(each.all("message")) + BETWEEN for each in programs]
    wanted = [len(each.texts(ROOM)) + BETWEEN for each in talkers]

    def reached() -> bool:
        shown = [len(each.all("message")) for each in programs]
        seen = [len(each.texts(ROOM)) for each in talkers]
        return all(a >= b for a, b in zip(shown + seen, goals + wanted, strict=True))

    try:
        await wait_until(reached, "the talk goes on", seconds=30_000 * MS)
    except AssertionError as error:
        lines = [f"{each.said[-2:]} {each.errors[-500:]}" for each in programs]
        lines += [
            f"{each.user}: {len(each.texts(ROOM))} seen, {each.returns} connects,"
            f" connected {each.sio.connected}, {each.refusals} {each.faults}"
            for each in talkers
        ]
        raise AssertionError("\n".join([str(error), *lines])) from None


async def check(redis_url: str, programs: list[Program], talkers: list[Talker]) -> None:
    """Hold what everybody saw against the log."""
    flows = [
        [f"{prefix}{n + 1}" for n in range((await each.heard("hushed"))["count"])]
        for each, prefix in zip(programs, "abc", strict=True)
    ]
    count = sum(map(len, flows)) + sum(len(each.sent) for each in talkers)
    for program in programs:
        await all_shown(program, count)
    log = await stored(redis_url)
    check_histories(log, programs, [*flows, *(each.sent for each in talkers)])
    for program in programs:
        assert not program.all("failed")
        statuses = program.all("status")
        assert statuses[-1]["sending"] == 0
        assert {each["state"] for each in statuses} <= HARMLESS
        assert {each["trouble"] for each in statuses} == {None}
    await all_see(talkers, [text for _number, text in log], ROOM)
    for each in talkers:
        assert not each.refusals, each.refusals
    assert sum(each.returns - 1 for each in talkers) > 0, "nobody was moved"
