"""Leases: a node that stops renewing is cleared up after, whoever notices first."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from realtime.errors import UnavailableError
from realtime.node.settings import Settings
from realtime.presence import node_leases
from realtime.presence.node_leases import RENEWALS, NodeLease
from realtime.presence.presence import Presence
from realtime.presence.room_counts import RoomCounts
from realtime.redis.client import RedisClient
from realtime.store import keys, scripts
from tests.kit.redis_server import RedisServer
from tests.kit.running import running as run_parts
from tests.kit.waiting import MS, wait_until

# Of a node that lives: no stall of this machine is as long, and yet it is soon renewed.
LEASE_SECONDS = 20_000 * MS
LOOKS = 100
# While others may renew their leases.
PATIENCE_LOOKS = 10
# Of a node that is dead: soon over.
DEAD_SECONDS = 300 * MS
# What is promised of a dead node's sessions.
SWEPT_SECONDS = 15_000 * MS


@pytest.fixture(autouse=True)
def _soon_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_leases, "RENEWALS", LOOKS)
    monkeypatch.setattr(node_leases, "PATIENCE", 0.0)


class Member:
    """A node as far as leases go."""

    def __init__(self, link: RedisClient, name: str) -> None:
        self.name = name
        self.relisted = 0
        self.refusing = False
        counts = RoomCounts.of_presence(link)
        self.presence = Presence(link, node=name, announce_users=10, counts=counts)
        self.lease = NodeLease(
            link,
            presence=self.presence,
            relist=self._relist,
            reconcile=self._reconcile,
            lease_seconds=LEASE_SECONDS,
        )
        self.renewed = 0

    async def _relist(self, _is_due: Callable[[str], bool]) -> None:
        self.relisted += 1
        if self.refusing:
            raise UnavailableError("This node has too many requests under way.")

    async def _reconcile(self) -> None:
        self.renewed += 1


@asynccontextmanager
async def running(link: RedisClient, name: str) -> AsyncIterator[Member]:
    """Run a node's lease until the block ends."""
    member = Member(link, name)
    async with run_parts(member.lease.run()):
        yield member


async def nodes(redis_client: Redis) -> set[str]:
    """Return the nodes that have a lease."""
    found: Any = await redis_client.zrange(keys.NODES, 0, -1)
    return set(found)


async def die(link: RedisClient, name: str, *users: str) -> None:
    """Leave what a node leaves that was killed: a lease, and sessions of users."""
    member = Member(link, name)
    for user in users:
        sid = f"{name}-{user}"
        await member.presence.enter(room="42", sid=sid, user=user, device=None)
    await hold(link, name, DEAD_SECONDS)


async def hold(link: RedisClient, name: str, seconds: float) -> None:
    """Give a node a lease."""
    await scripts.leases_renew(
        link,
        nodes=keys.NODES,
        node=name,
        lease_ms=int(seconds * 1000),
        begins=True,
        former="",
    )


async def test_a_node_that_lives_keeps_its_lease(
    link: RedisClient, redis_client: Redis
) -> None:
    """It renews well before the end, and gives it back when it goes."""
    async with running(link, "n1") as member:
        await wait_until(lambda: member.renewed, "it has a lease")
        ends: Any = await redis_client.zscore(keys.NODES, "n1")
        renewed = member.renewed
        await wait_until(lambda: member.renewed > renewed, "it renews it")
        assert await nodes(redis_client) == {"n1"}
        later: Any = await redis_client.zscore(keys.NODES, "n1")
        assert later > ends
        assert member.relisted == 0
        await member.presence.enter(room="42", sid="s", user="ann", device=None)
    assert await nodes(redis_client) == set()
    assert await redis_client.keys("*") == []


async def test_a_dead_node_s_sessions_are_swept(
    link: RedisClient, redis_client: Redis
) -> None:
    """By any other node, one that starts later included."""
    await die(link, "dead", "ann", "bob")
    async with running(link, "n1"):

        async def swept() -> bool:
            return not await redis_client.exists(keys.online("42"))

        await wait_until(swept, "its sessions are gone")
        await wait_until(lambda: _is(redis_client, {"n1"}), "its lease is gone as well")
    assert await redis_client.keys("*") == []


@pytest.mark.parametrize("comes_back", [True, False])
async def test_nobody_is_swept_for_an_outage_of_redis(
    link: RedisClient,
    redis_client: Redis,
    monkeypatch: pytest.MonkeyPatch,
    comes_back: bool,
) -> None:
    """All leases ran out: the first node back gives the others time to come back."""
    monkeypatch.setattr(node_leases, "PATIENCE", PATIENCE_LOOKS / LOOKS)
    async with running(link, "n1") as first:
        await wait_until(lambda: first.renewed, "it has a lease")
        await die(link, "n2", "ann")
        await redis_client.zadd(keys.NODES, {"n1": 1, "n2": 1})
        await wait_until(lambda: first.relisted, "it finds its lease gone")
        # As the other one will find it.
        presence_of_n2 = Member(link, "n2").presence
        presence_of_n2.begin_life()
        renewed = first.renewed
        await wait_until(lambda: first.renewed > renewed + 1, "it has looked again")
        assert await redis_client.exists(keys.online("42"))
        if comes_back:
            await hold(link, "n2-2", LEASE_SECONDS)
            await presence_of_n2.enter(room="42", sid="n2-ann", user="ann", device=None)
        await wait_until(
            lambda: first.renewed > renewed + PATIENCE_LOOKS + 1, "its patience is over"
        )
        assert await redis_client.exists(keys.online("42")) == comes_back


async def _is(redis_client: Redis, expected: set[str]) -> bool:
    return await nodes(redis_client) == expected


async def test_many_dead_nodes_are_swept(
    link: RedisClient, redis_client: Redis
) -> None:
    """More than one look takes: a whole rack went down."""
    for number in range(25):
        await die(link, f"dead{number}", f"u{number}")
    async with running(link, "n1"):
        await wait_until(lambda: _is(redis_client, {"n1"}), "all are swept")
    assert await redis_client.keys("*") == []


async def test_one_broken_list_keeps_no_dead_session_on_the_others(
    link: RedisClient, redis_client: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Of another room, or of another dead node: only what is broken is not cleared."""
    for name in ("dead1", "dead2", "dead3"):
        await die(link, name, "ann", "bob")
    dead2 = Member(link, "dead2").presence
    await dead2.enter(room="41", sid="s41", user="ann", device=None)
    await redis_client.set(keys.sessions("41"), "not a hash")
    await redis_client.delete(keys.node_sessions("dead1"))
    await redis_client.set(keys.node_sessions("dead1"), "not a set")
    # The broken one's lease ran out first: it is the first to be cleared up after.
    await redis_client.zadd(keys.NODES, {"dead1": 1})
    async with running(link, "n1"):
        await wait_until(lambda: _is(redis_client, {"n1", "dead1"}), "two are swept")
    left = await redis_client.hkeys(keys.sessions("42"))
    assert sorted(left) == ["dead1-ann", "dead1-bob"]
    assert "off the list of room 41: WRONGTYPE" in caplog.text
    assert "of node dead1 cannot be ended" in caplog.text


async def test_a_node_whose_own_list_is_broken_goes_all_the_same(
    link: RedisClient, redis_client: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Its end is not cut short; what it leaves is told in the log."""
    async with running(link, "n1") as member:
        await wait_until(lambda: member.renewed, "it has a lease")
        await redis_client.set(keys.node_sessions("n1"), "not a set")
    assert "could not be given back: WRONGTYPE" in caplog.text


async def test_a_node_that_lost_its_lease_lists_its_sessions_again(
    link: RedisClient, redis_client: Redis
) -> None:
    """It was paused and swept by another, or Redis lost it: it lives after all."""
    async with running(link, "n1") as member:
        await wait_until(lambda: member.renewed, "it has a lease")
        await redis_client.zrem(keys.NODES, "n1")
        await wait_until(lambda: member.relisted == 1, "it lists its sessions")
        await wait_until(lambda: _is(redis_client, {"n1-2"}), "it lives on")
        renewed = member.renewed
        await wait_until(lambda: member.renewed > renewed + 2, "it goes on")
        assert member.relisted == 1


async def test_a_node_that_overslept_its_lease_lists_its_sessions_again(
    link: RedisClient, redis_client: Redis
) -> None:
    """Another has begun to sweep them and may never finish: it was killed as well."""
    async with running(link, "n1") as member:
        await wait_until(lambda: member.renewed, "it has a lease")
        await redis_client.zadd(keys.NODES, {"n1": 1})
        await wait_until(lambda: member.relisted, "it lists its sessions")


async def test_sessions_that_could_not_be_listed_again_are_listed_later(
    link: RedisClient, redis_client: Redis
) -> None:
    """It was swept while it was paused; on waking everybody wants something of it."""
    async with running(link, "n1") as member:
        await wait_until(lambda: member.renewed, "it has a lease")
        member.refusing = True
        await redis_client.zrem(keys.NODES, "n1")
        await wait_until(lambda: member.relisted > 1, "it tries and tries")
        member.refusing = False
        tried, renewed = member.relisted, member.renewed
        await wait_until(lambda: member.renewed > renewed + 2, "it goes on")
        assert member.relisted == tried + 1


async def test_a_pause_of_redis_ends_no_node(
    link: RedisClient, redis_server: RedisServer, redis_client: Redis
) -> None:
    """Renewals fail and go on; two living nodes that come back keep theirs."""
    async with running(link, "n1") as one, running(link, "n2") as two:
        await wait_until(lambda: one.renewed and two.renewed, "both have a lease")
        redis_server.kill()
        await wait_until(lambda: not link.connected, "Redis is away")
        redis_server.start()
        before = one.renewed, two.renewed
        await wait_until(
            lambda: one.renewed > before[0] + 1 and two.renewed > before[1] + 1,
            "both renew again",
        )
        assert await nodes(redis_client) == {"n1", "n2"}


async def test_the_sweep_goes_on_while_redis_is_away(
    link: RedisClient,
    redis_server: RedisServer,
    redis_client: Redis,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A lease that cannot be renewed is logged, and tried again."""
    async with running(link, "n1") as member:
        await wait_until(lambda: member.renewed, "it has a lease")
        redis_server.admin.config_set("maxmemory", "1")
        await wait_until(lambda: "could not be renewed" in caplog.text, "it is logged")
        redis_server.admin.config_set("maxmemory", "0")
        renewed = member.renewed
        await wait_until(lambda: member.renewed > renewed, "it goes on")


def test_the_defaults_keep_the_promise() -> None:
    """A lease, the look that finds it run out, and the sweep: within 15 s."""
    lease_seconds = Settings().lease_seconds
    look_seconds = lease_seconds / RENEWALS
    assert lease_seconds + look_seconds + 2.0 <= SWEPT_SECONDS


async def test_a_node_that_starts_after_an_outage_of_redis_sweeps_nobody_who_lives(
    link: RedisClient, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All leases ran out meanwhile; the new node is the first one there."""
    monkeypatch.setattr(node_leases, "PATIENCE", PATIENCE_LOOKS / LOOKS)
    await die(link, "n2", "ann")
    await redis_client.zadd(keys.NODES, {"n2": 1})
    async with running(link, "n1") as first:
        await wait_until(lambda: first.renewed > PATIENCE_LOOKS // 2, "it looks around")
        assert await redis_client.exists(keys.online("42"))
        await wait_until(lambda: first.renewed > PATIENCE_LOOKS + 1, "it has waited")
        assert not await redis_client.exists(keys.online("42"))


async def test_who_was_taken_for_dead_cannot_renew_that_lease(
    link: RedisClient, redis_client: Redis
) -> None:
    """It is being swept by then: it lives on under another name."""
    async with running(link, "n1") as member:
        await wait_until(lambda: member.renewed, "it has a lease")
        await redis_client.zadd(keys.NODES, {"n1": 1})
        await wait_until(lambda: member.relisted, "it lists its sessions again")
        await wait_until(lambda: _is(redis_client, {"n1-2"}), "the former life is over")


async def test_a_lease_of_a_clock_that_was_ahead_is_cut(
    link: RedisClient, redis_client: Redis
) -> None:
    """Its node has died since: nobody waits an hour for its end."""
    far: Any = (await redis_client.time())[0] * 1000 + 3_600_000
    await redis_client.zadd(keys.NODES, {"dead": far})
    async with running(link, "n1") as member:
        await wait_until(lambda: member.renewed, "it has looked")
        ends: Any = await redis_client.zscore(keys.NODES, "dead")
        assert ends <= far - 3_600_000 + 2 * LEASE_SECONDS * 1000
