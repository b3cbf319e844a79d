"""Presence heals from every interleaving of a node that wakes and one that sweeps it.

The real parts run against a real Redis, but each command waits until the test lets it
be carried out. All orders are tried, and the sweeper is cut off at every place in them.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from realtime.errors import UnavailableError
from realtime.presence import node_leases
from realtime.presence.node_leases import NodeLease
from realtime.presence.presence import Presence
from realtime.presence.room_counts import RoomCounts
from realtime.presence.roster import Roster
from realtime.presence.sessions import ChatSession
from realtime.redis.client import RedisClient
from realtime.redis.connection import Argument
from realtime.redis.script import Script
from realtime.store import keys
from tests.kit.running import running
from tests.kit.waiting import DEADLINE_SECONDS, MS

LEASE_SECONDS = 60_000 * MS
# A renewal follows the other at once.
RENEWALS = 10**9
# Commands of the sweeper before it is killed: not at all; having looked for what is to
# be removed; removed it; and taken it off the dead one's list.
CUTS = (None, 2, 3, 4)
# Renewals of the sweeper until its first sweep is over.
LOOKS = 2
# All orders of four commands of one and six of the other, for a sweep that is not cut.
ORDERS = 210
# Turns of the loop after which a node that asks for nothing is waiting for its clock.
TURNS = 12


class Gate:
    """Stands before a client: its calls wait in their order until they are let through.

    Attributes:
        is_cut: Whether they fail: the node is gone.
    """

    publish_command = RedisClient.publish_command
    generation = 1
    database = 0
    healthy = False
    is_cluster = False

    def __init__(self, link: RedisClient) -> None:
        self._link = link
        self._waiting: list[tuple[asyncio.Future[Any], Callable[[], Any]]] = []
        self.is_cut = False

    def generation_of(self, _key: str) -> int:
        """Return the number of the connection."""
        return self.generation

    def call(self, *command: Argument, resend: bool = True) -> Awaitable[Any]:
        """Carry out a command, in its turn."""
        return self._pass(lambda: self._link.call(*command, resend=resend))

    def run_script(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument]
    ) -> Awaitable[Any]:
        """Run a script, in its turn."""
        return self._pass(lambda: self._link.run_script(script, keys, args))

    def _pass(self, call: Callable[[], Any]) -> Awaitable[Any]:
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self.is_cut:
            reply.set_exception(UnavailableError("It is gone."))
        else:
            self._waiting.append((reply, call))
        return reply

    @property
    def asks(self) -> bool:
        """Whether a call waits."""
        return bool(self._waiting)

    async def step(self) -> None:
        """Let the first call through, and return when its answer was taken."""
        reply, call = self._waiting.pop(0)
        reply.set_result(await call())
        for _ in range(TURNS):
            if self._waiting:
                return
            await asyncio.sleep(0)

    def cut(self) -> None:
        """Let nothing through any more."""
        self.is_cut = True
        for reply, _ in self._waiting:
            reply.set_exception(UnavailableError("It is gone."))
            reply.exception()
        self._waiting.clear()


class Node:
    """A node as far as presence goes; it renews its lease over and over.

    Attributes:
        listed: How often it has listed its sessions again.
        looks: How many renewals have come to their sweep.
    """

    def __init__(self, link: RedisClient, name: str) -> None:
        self.gate = Gate(link)
        redis: Any = self.gate
        presence = Presence(
            redis, node=name, announce_users=10, counts=RoomCounts.of_presence(redis)
        )
        self.roster = Roster(presence)
        self.listed = self.looks = 0
        self.lease = NodeLease(
            redis,
            presence=presence,
            relist=self._relist,
            reconcile=self._look,
            lease_seconds=LEASE_SECONDS,
        )

    async def drive(self, until: Callable[[], bool]) -> None:
        """Let it go on alone."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not until():
                if self.gate.asks:
                    await self.gate.step()
                await asyncio.sleep(0)

    async def _relist(self, is_due: Callable[[str], bool]) -> None:
        await self.roster.relist(is_due)
        self.listed += 1

    async def _look(self) -> None:
        self.looks += 1


class Scene:
    """A node that wakes after its lease ran out, one that sweeps it, and a third."""

    def __init__(self, link: RedisClient, redis: Redis) -> None:
        self._link, self._redis = link, redis
        self.woken, self.sweeper, self.other = (
            Node(link, name) for name in ("woken", "sweeper", "other")
        )

    async def play(self, chosen: list[int], cut_after: int | None) -> None:
        """Let them go on in an order, until the node has woken and was swept.

        Args:
            chosen: Whose command is next, 0 the node's and 1 the sweeper's, where both
                ask for one. Beyond it that is the node's, which is appended.
            cut_after: After so many of its commands the sweeper is killed.
        """
        redis, woken, sweeper = self._redis, self.woken, self.sweeper
        await redis.flushall()
        await self._list(woken, "s1")
        await self._list(self.other, "s2")
        async with self._running(woken):
            await woken.drive(lambda: woken.looks == 1)
            await redis.zadd(keys.NODES, {"woken": 1})
            async with self._running(sweeper):
                await self._step_all(chosen, cut_after)
            looks = woken.looks
            await woken.drive(lambda: woken.looks > looks + 1)
            async with self._running(self.other):
                await self.other.drive(lambda: self.other.looks > LOOKS)
                await self._check()

    @asynccontextmanager
    async def _running(self, node: Node) -> AsyncIterator[None]:
        """Run a node until the block ends, with which it is killed."""
        async with running(node.lease.run()):
            try:
                yield
            finally:
                node.gate.cut()

    async def _list(self, node: Node, sid: str) -> None:
        """Have a session of the same user attend at a node."""
        listing = asyncio.ensure_future(node.roster.add(ChatSession(sid, "ann"), "42"))
        await node.drive(listing.done)

    async def _step_all(self, chosen: list[int], cut_after: int | None) -> None:
        woken, sweeper = self.woken, self.sweeper
        place = swept = 0
        while True:
            asking = [woken.gate.asks and not woken.listed]
            # Its second look comes after what it sweeps by the first.
            asking.append(sweeper.gate.asks and sweeper.looks < LOOKS)
            if not any(asking):
                return
            which = asking.index(True)
            if all(asking):
                if place == len(chosen):
                    chosen.append(0)
                which = chosen[place]
                place += 1
            await (woken, sweeper)[which].gate.step()
            swept += which
            if which and swept == cut_after:
                sweeper.gate.cut()

    async def _check(self) -> None:
        """Hold the lists against who is there."""
        sessions = await self._redis.hkeys(keys.sessions("42"))
        assert sorted(sessions) == ["s1", "s2"]
        assert await self._redis.hgetall(keys.online("42")) == {"ann": "2"}
        lists = await self._redis.keys("{node-*}:sessions")
        assert len(lists) == 2, lists


@pytest.mark.timeout(120)
async def test_a_node_that_wakes_while_it_is_swept(
    link: RedisClient, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All who are there are listed, once, though the sweeper may be killed as well."""
    monkeypatch.setattr(node_leases, "RENEWALS", RENEWALS)
    monkeypatch.setattr(node_leases, "PATIENCE", 0.0)
    runs = 0
    for cut_after in CUTS:
        pending: list[list[int]] = [[]]
        while pending:
            chosen = pending.pop()
            known = len(chosen)
            try:
                await Scene(link, redis_client).play(chosen, cut_after)
            except AssertionError as error:
                raise AssertionError(
                    f"{chosen}, cut after {cut_after}: {error}"
                ) from None
            # Beyond what it was told the run took the first choice each time.
            pending += [[*chosen[:each], 1] for each in range(known, len(chosen))]
            runs += 1
    assert runs >= ORDERS
