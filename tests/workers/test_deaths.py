"""A worker that dies, or hangs, is its own sessions' trouble and nobody else's."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import socketio

from realtime.engineio.sid_marks import mark_of
from tests.kit.members import Member, all_see
from tests.kit.nodes import NAMESPACE
from tests.kit.waiting import DEADLINE_SECONDS, MS, wait_until
from tests.workers.crew import (
    PATH,
    START_SECONDS,
    Crew,
    crew,
    line,
    sessions_everywhere,
)

pytestmark = [pytest.mark.timeout(180), pytest.mark.long]

ROOM = "42"


class Returner(Member):
    """python-socketio's client as applications use it: it comes back and catches up.

    Attributes:
        connects: How often it was connected.
    """

    def __init__(self, sio: socketio.AsyncClient, user: str) -> None:
        super().__init__(sio, user)
        self.connects = 0
        sio.on("connect", self._connected, namespace=NAMESPACE)

    @property
    def number(self) -> int:
        """Of the worker that it is connected to."""
        return mark_of(self.sio.eio.sid)

    async def _connected(self) -> None:
        await self.join(ROOM, self.cursors.get(ROOM))
        self.connects += 1


@asynccontextmanager
async def returner(
    url: str, user: str, transports: list[str]
) -> AsyncIterator[Returner]:
    """Connect until the block ends."""
    # Its own, which it would not close when it comes back over polling.
    http = aiohttp.ClientSession()
    sio = socketio.AsyncClient(
        reconnection_delay=50 * MS, reconnection_delay_max=200 * MS, http_session=http
    )
    made = Returner(sio, user)
    try:
        await sio.connect(
            url,
            namespaces=[NAMESPACE],
            auth={"user": user},
            transports=transports,
            wait_timeout=DEADLINE_SECONDS,
        )
        await wait_until(lambda: made.connects, f"{user} is in the room")
        yield made
        assert not made.faults, made.faults
    finally:
        await sio.shutdown()
        await http.close()


async def people(three: Crew, stack: AsyncExitStack, count: int) -> list[Returner]:
    """Connect people over both transports until each worker has some of them."""
    made = []
    for n in range(count):
        ways = ["polling"] if n % 2 else ["websocket"]
        there = returner(three.url, f"user{n}", ways)
        made.append(await stack.enter_async_context(there))
    assert {each.number for each in made} == {each.number for each in three.workers}
    return made


async def test_a_killed_worker_takes_only_its_own_sessions_along(
    redis_url: str,
) -> None:
    """The others notice nothing; who was there comes back and has missed nothing."""
    with crew(redis_url) as three:
        async with AsyncExitStack() as stack:
            crowd = await people(three, stack, 18)
            victim = three.workers[1]
            lost = [each for each in crowd if each.number == victim.number]
            kept = [each for each in crowd if each.number != victim.number]
            watcher = kept[0]
            os.kill(victim.pid, signal.SIGKILL)
            texts = [f"text {n}" for n in range(20)]
            for text in texts:
                await watcher.send(text)
            await wait_until(lambda: all(e.connects == 2 for e in lost), "are back")
            await all_see(crowd, texts, ROOM)
            assert all(each.connects == 1 for each in kept)
            await wait_until(
                lambda: len(three.workers) == 3, "another one", seconds=START_SECONDS
            )
            starts = await three.numbers("chatroom_worker_starts_total")
            assert starts == {"0": 1, "1": 2, "2": 1}


async def test_who_is_gone_with_a_worker_is_gone_at_once(redis_url: str) -> None:
    """Not when its lease has run out, ten seconds later: the supervisor saw it end."""
    with crew(redis_url, 2, variables={"CHATROOM_LEASE_SECONDS": "600"}) as two:
        async with AsyncExitStack() as stack:
            crowd = await people(two, stack, 6)
            victim, survivor = two.workers
            watcher = next(each for each in crowd if each.number == survivor.number)
            gone = [each for each in crowd if each.number == victim.number]
            for each in gone:
                each.sio.eio.reconnection = False
                each.sio.reconnection = False
            os.kill(victim.pid, signal.SIGKILL)

            def told_offline() -> set[str]:
                told = [
                    payload["user"]
                    for name, payload in watcher.kept
                    if name == "presence" and not payload["online"]
                ]
                return set(told)

            await wait_until(
                lambda: {each.user for each in gone} <= told_offline(), "are offline"
            )


async def test_a_worker_that_hangs_keeps_nobody_waiting(redis_url: str) -> None:
    """Its sessions are refused after a moment; new ones are somebody else's."""
    packet = b'40/chat,{"user":"ann"}'
    with crew(redis_url) as three:
        sids = await sessions_everywhere(three)
        paths = {n: f"{PATH.format('polling')}&sid={sid}" for n, sid in sids.items()}
        victim = three.workers[0]

        async def asked(number: int) -> int:
            async with line(three.node.port) as one:
                return (await one.ask("POST", paths[number], packet))[0]

        async def is_refused() -> bool:
            try:
                # What was handed to it before that was noticed waits with it.
                async with asyncio.timeout(500 * MS):
                    return await asked(victim.number) == 503
            except TimeoutError:
                return False

        os.kill(victim.pid, signal.SIGSTOP)
        try:
            await wait_until(is_refused, "its session is refused")
            for _ in range(20):
                async with line(three.node.port) as one:
                    assert mark_of(await one.handshake()) != victim.number
            for number in sids.keys() - {victim.number}:
                assert await asked(number) == 200
            up = await three.numbers("chatroom_worker_up")
            assert up == {"0": 0, "1": 1, "2": 1}
        finally:
            os.kill(victim.pid, signal.SIGCONT)

        await sessions_everywhere(three)
        assert three.workers[0] == victim


@pytest.mark.long
async def test_a_worker_that_dies_again_and_again_is_left_out(
    redis_url: str, tmp_path: Path
) -> None:
    """The others take its connections until SIGHUP; nobody waits in its queue."""
    words = tmp_path / "words"
    words.write_text("badword\n")
    with crew(redis_url, 3, variables={"CHATROOM_WORDS_FILE": str(words)}) as three:
        words.write_bytes(b"\xff\xfe\xff")
        os.kill(three.workers[2].pid, signal.SIGKILL)
        await wait_until(
            lambda: "left out until SIGHUP" in three.node.output,
            "it is given up",
            seconds=60_000 * MS,
        )
        async with aiohttp.ClientSession() as http:
            for _ in range(40):
                # Each over a connection of its own, by chance to any of the three.
                async with http.get(
                    f"{three.url}/readyz", headers={"Connection": "close"}
                ) as answer:
                    said = await answer.json()
                assert said["ready"]
                assert "Worker 2 is not ready." in said["warnings"]
        up = await three.numbers("chatroom_worker_up")
        assert up == {"0": 1, "1": 1, "2": 0}
        words.write_text("badword\n")
        await three.reload()
        up = await three.numbers("chatroom_worker_up")
        assert up == {"0": 1, "1": 1, "2": 1}
