"""A client of a cluster keeps its promises while slots move and primaries change."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from realtime.errors import StartError
from realtime.redis.client import RedisClient
from realtime.redis.cluster.slots import slot_of
from realtime.redis.durability import parse_level
from realtime.redis.pubsub import Batch, Subscriber
from realtime.redis.script import Script
from realtime.redis.site import RedisSite, check_site
from tests.kit.proxies import program
from tests.kit.running import running
from tests.kit.waiting import DEADLINE_SECONDS, MS, wait_until
from verify.harness.cluster_servers import SHARDS
from verify.harness.redis_cluster import RedisCluster
from verify.harness.valkey import Valkey, free_ports

pytestmark = pytest.mark.timeout(90)

ROOM = "{chatroom-42}"
SLOT = slot_of(b"chatroom-42")
TIMEOUT_SECONDS = 5_000 * MS
# Calls made together, again and again, while something happens.
TOGETHER = 20
# Other channels, of all shards.
OTHERS = [f"chatroom-{number}" for number in range(100, 160)]


@pytest.fixture(scope="module", params=["valkey", "redis"])
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RedisCluster]:
    """Three shards of each kind of server; the tests leave it whole."""
    if request.param == "redis":
        program("redis-server", "redis-server")
    folder = tmp_path_factory.mktemp("c")
    starting = RedisCluster.start(request.param, folder)
    with asyncio.Runner() as runner:
        made = runner.run(starting.__aenter__())
        yield made
        runner.run(starting.__aexit__(None, None, None))


class Listening:
    """What a listener of Pub/Sub heard.

    Attributes:
        heard: Channels and payloads.
        gaps: Channels of which something may be missed.
    """

    def __init__(self) -> None:
        self.heard: list[tuple[bytes, bytes]] = []
        self.gaps: set[str] = set()
        self.was_lost: set[str] = set()

    def due(self) -> None:
        """Do nothing."""

    def receive(self, batch: Batch) -> None:
        """Take publications."""
        self.heard += batch

    def lost(self, channels: Collection[str] | None = None) -> None:
        """Take note of a gap."""
        self.gaps.update(channels or ())
        self.was_lost.update(channels or ())

    def ready(self, channels: Collection[str] | None = None) -> None:
        """Take note of its end."""
        self.gaps.difference_update(channels or ())


@asynccontextmanager
async def reached(
    cluster: RedisCluster,
) -> AsyncIterator[tuple[RedisClient, Subscriber, Listening]]:
    """Return a client and a subscriber of all shards."""
    site = RedisSite(cluster.url, timeout_seconds=TIMEOUT_SECONDS)
    client = site.client(limit_calls=10_000)
    subscriber = site.subscriber(silence_seconds=2_000 * MS)
    listening = Listening()
    async with running(client.run()), running(subscriber.run(listening)):
        await wait_until(lambda: all_up(client.shards()), "all shards are reached")
        await wait_until(lambda: all_up(subscriber.shards()), "all are heard")
        yield client, subscriber, listening


def all_up(shards: dict[str, bool]) -> bool:
    """Whether all shards are there, and well."""
    return len(shards) == SHARDS and all(shards.values())


async def test_a_slot_moves_and_nothing_is_lost_doubled_or_overtaken(
    cluster: RedisCluster,
) -> None:
    """Calls of a room go on in their order, at once and key by key, there and back.

    Its channel is the one that is told of a gap, and is heard again at the other shard.
    """
    hows = ["legacy", "legacy"]
    if cluster.kind == "valkey":
        hows += ["atomic", "atomic"]
    async with reached(cluster) as (client, subscriber, listening):
        await asyncio.gather(*map(subscriber.subscribe, ["chatroom-42", *OTHERS]))
        await client.call("DEL", f"{ROOM}:list")
        called = 0
        for how in hows:
            listening.was_lost.clear()
            target = (await cluster.shard_of("42") + 1) % SHARDS
            moving = asyncio.create_task(cluster.reshard([SLOT], target, how))
            while not moving.done():
                await asyncio.gather(
                    *(
                        client.call("RPUSH", f"{ROOM}:list", number)
                        for number in range(called, called + TOGETHER)
                    )
                )
                called += TOGETHER
            await moving
            found = await client.call("LRANGE", f"{ROOM}:list", 0, -1)
            assert [*map(int, found)] == [*range(called)]
            await wait_until(
                lambda: "chatroom-42" in listening.was_lost and not listening.gaps,
                "its channel is heard again",
            )
            assert {*listening.was_lost} == {"chatroom-42"}
            await client.publish("chatroom-42", how.encode())
            await wait_until(
                lambda how=how: (b"chatroom-42", how.encode()) in listening.heard,
                "what is published arrives",
            )


async def test_a_replica_takes_over_and_the_rest_goes_on(cluster: RedisCluster) -> None:
    """After a planned failover, and after a kill, a shard's calls and channels go on.

    The other shards' channels miss nothing.
    """
    async with reached(cluster) as (client, subscriber, listening):
        await asyncio.gather(*map(subscriber.subscribe, ["chatroom-42", *OTHERS]))
        shard = await cluster.shard_of("42")
        same = {each for each in OTHERS if await cluster.shard_of(each[9:]) == shard}
        assert {*OTHERS} - same
        await client.call("DEL", f"{ROOM}:list")
        killed: int | None = None
        for is_planned in (True, False):
            listening.was_lost.clear()
            calls = [
                client.call("RPUSH", f"{ROOM}:list", number, resend=is_planned)
                for number in range(TOGETHER)
            ]
            await asyncio.gather(*calls)
            if is_planned:
                await cluster.failover(shard)
            else:
                killed = await cluster.kill(shard)
                await cluster.promoted(killed)
            await wait_until(lambda: all_up(client.shards()), "the shard is reached")
            await wait_until(
                lambda: bool(listening.was_lost) and not listening.gaps,
                "all is heard again",
            )
            assert listening.was_lost <= {"chatroom-42", *same}
            found = await client.call("LRANGE", f"{ROOM}:list", -TOGETHER, -1)
            assert [*map(int, found)] == [*range(TOGETHER)]
            for channel in ("chatroom-42", *OTHERS):
                await client.publish(channel, b"again")
            async with asyncio.timeout(DEADLINE_SECONDS):
                while len(listening.heard) < 1 + len(OTHERS):
                    await asyncio.sleep(10 * MS)
            assert {name.decode() for name, _ in listening.heard} == {
                "chatroom-42",
                *OTHERS,
            }
            listening.heard.clear()
        if killed is not None:
            cluster.processes[killed].start()
        await cluster.whole()


async def test_writes_are_confirmed_by_the_shard_that_has_them(
    cluster: RedisCluster,
) -> None:
    """``replicas:1`` waits at each shard, after a forgotten script as well.

    And while other slots of the shard are on their way to another one.
    """
    script = Script("write", "return redis.call('INCR', KEYS[1])")
    site = RedisSite(cluster.url, timeout_seconds=TIMEOUT_SECONDS)
    client = site.client(limit_calls=100)
    durability = site.durability(
        level=parse_level("replicas:1"),
        timeout_seconds=TIMEOUT_SECONDS,
        scripts=[script],
    )
    async with running(client.run()), running(durability.run()):
        keys = [f"{{chatroom-{number}}}:count" for number in range(30)]
        for key in keys:
            await client.call("DEL", key)
        for port in await cluster.primaries():
            await cluster.ask(port, "SCRIPT", "FLUSH")
        counts = await asyncio.gather(
            *(durability.run_script(script, [key], []) for key in keys)
        )
        assert counts == [1] * len(keys)
        # What is there is served in a slot that moves, what is new is not.
        await cluster.flush()
        async with moving_ends(cluster):
            counts = await asyncio.gather(
                *(durability.run_script(script, [key], []) for key in keys)
            )
        assert counts == [1] * len(keys)


@asynccontextmanager
async def moving_ends(cluster: RedisCluster) -> AsyncIterator[None]:
    """Have the lowest and the highest slot of each shard move until the block ends."""
    views = [await cluster.myself(port) for port in await cluster.primaries()]
    ends = [
        (port, slot, other.id)
        for port, own, other in zip(
            await cluster.primaries(), views, [*views[1:], views[0]], strict=True
        )
        for slot in (own.slots[0][0], own.slots[-1][-1])
    ]
    for port, slot, other_id in ends:
        await cluster.ask(port, "CLUSTER", "SETSLOT", slot, "MIGRATING", other_id)
    yield
    for port, slot, _ in ends:
        await cluster.ask(port, "CLUSTER", "SETSLOT", slot, "STABLE")


async def test_the_address_of_a_cluster_is_named(
    cluster: RedisCluster, tmp_path: Path
) -> None:
    """Whoever gives that of one server is told what to write, and the other way."""
    assert await check_site(cluster.url, timeout_seconds=TIMEOUT_SECONDS) == []
    port, spare = cluster.ports[0], free_ports(1)[0]
    with pytest.raises(StartError, match=rf"redis\+cluster://127.0.0.1:{port}\."):
        await check_site(f"redis://127.0.0.1:{port}/0", timeout_seconds=TIMEOUT_SECONDS)
    alone = Valkey(tmp_path, port=spare)
    alone.start()
    try:
        await alone.ready()
        with pytest.raises(StartError, match=rf"redis://127.0.0.1:{spare}\."):
            await check_site(
                f"redis+cluster://127.0.0.1:{spare}", timeout_seconds=TIMEOUT_SECONDS
            )
    finally:
        alone.close()
