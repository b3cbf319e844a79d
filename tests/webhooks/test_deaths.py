"""Nodes, Redis and the application die: what was acknowledged is told, in order."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest
import socketio

from tests.kit.hook_receiver import LOOPBACK, HookReceiver
from tests.kit.members import Member, member, text_of
from tests.kit.metrics import scrape
from tests.kit.nodes import Node, NodeProcess, run_nodes, run_process
from tests.kit.redis_server import RedisServer
from tests.kit.waiting import MS, wait_until

ROOMS_A_NODE = 3


class Talk:
    """People who talk in rooms of their own, and what of it was acknowledged."""

    def __init__(self) -> None:
        self.acknowledged: dict[str, list[str]] = {}
        self.ended = asyncio.Event()

    @property
    def count(self) -> int:
        """How many messages were acknowledged."""
        return sum(map(len, self.acknowledged.values()))

    async def go_on(self, who: Member, room: str) -> None:
        """Send one message after the other, each until it is acknowledged.

        Until the end, or until the node is gone.
        """
        told = self.acknowledged.setdefault(room, [])
        with suppress(socketio.exceptions.SocketIOError):
            for number in itertools.count():
                payload = text_of(str(number), room)
                while not (await who.ask("send", payload))["ok"]:
                    if self.ended.is_set():
                        return
                    await asyncio.sleep(0)
                told.append(str(number))
                if self.ended.is_set():
                    return

    async def grow(self, by: int) -> None:
        """Return when so many more were acknowledged."""
        enough = self.count + by
        await wait_until(lambda: self.count >= enough, "they talk")

    def is_told(self, app: HookReceiver) -> bool:
        """Tell whether all that was acknowledged has arrived."""
        arrived = app.texts_by_room()
        return all(
            set(texts) <= set(arrived.get(room, ()))
            for room, texts in self.acknowledged.items()
        )

    def out_of_order(self, app: HookReceiver) -> list[str]:
        """Return rooms whose messages came in another order, repetitions aside."""
        return [
            room
            for room, texts in app.texts_by_room().items()
            if texts != sorted(texts, key=int)
        ]


@asynccontextmanager
async def talking(
    talk: Talk, nodes: Sequence[Node | NodeProcess]
) -> AsyncIterator[None]:
    """Let people talk at nodes until the block ends."""
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        for at, node in enumerate(nodes):
            for each in range(ROOMS_A_NODE):
                room = f"room-{at}-{each}"
                who = await stack.enter_async_context(member(node, room, room))
                tasks.create_task(talk.go_on(who, room))
        try:
            yield
        finally:
            talk.ended.set()


async def owner_of(nodes: list[NodeProcess]) -> NodeProcess | None:
    """Return the node that delivers to the application."""
    for node in nodes:
        _, numbers = await scrape(node.url)
        if 'chatroom_webhook_waiting{endpoint="app"}' in numbers:
            return node
    return None


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_nodes_die(
    app: HookReceiver, hooks_file: Path, redis_server: RedisServer
) -> None:
    """First the one that delivers, in mid-delivery; then one whose people talk."""
    talk = Talk()
    async with AsyncExitStack() as stack:
        nodes = [
            await stack.enter_async_context(
                run_process(
                    "--redis-url",
                    redis_server.url,
                    CHATROOM_HOOKS_FILE=str(hooks_file),
                    CHATROOM_HOOK_ALLOW=LOOPBACK,
                )
            )
            for _ in range(3)
        ]
        async with talking(talk, nodes):
            await wait_until(lambda: len(app.accepted) > 100, "they are told")
            app.decide = lambda _event: None
            before = len(app.tried)
            await wait_until(lambda: len(app.tried) > before, "it is being told")
            await talk.grow(50)
            delivers = await owner_of(nodes)
            assert delivers is not None
            delivers.kill()
            app.decide = lambda _event: 204
            app.free.set()
            nodes.remove(delivers)
            await talk.grow(100)
            nodes[0].kill()
            await talk.grow(50)
        await wait_until(lambda: talk.is_told(app), "all is told", seconds=60_000 * MS)
    assert talk.out_of_order(app) == []


async def test_redis_and_the_application_die(
    app: HookReceiver, hooks_file: Path, redis_server: RedisServer
) -> None:
    """Again and again while people talk: all that was acknowledged is told."""
    talk = Talk()
    async with run_nodes(
        2,
        redis_server.url,
        hooks_file=hooks_file,
        hook_allow=LOOPBACK,
        redis_timeout_seconds=1_500 * MS,
    ) as nodes:
        async with talking(talk, nodes):
            for _ in range(2):
                await talk.grow(50)
                redis_server.kill()
                await asyncio.to_thread(redis_server.start)
                await talk.grow(50)
                await app.stop()
                await talk.grow(50)
                await app.start(app.port)
        await wait_until(lambda: talk.is_told(app), "all is told")
    assert talk.out_of_order(app) == []
