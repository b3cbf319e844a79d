"""The cluster that verify strikes: what is done to it is what happens to it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from realtime.store import keys
from verify.beside import beside
from verify.faults.kinds import Ended
from verify.harness.cluster_servers import SHARDS
from verify.harness.cluster_view import parse_nodes, slot_of_room
from verify.harness.redis_cluster import RedisCluster
from verify.history import Answered, History, Outcome, Sent

pytestmark = pytest.mark.timeout(60)

ROOM = "42"
SLOT = slot_of_room(ROOM)
KEYS = [keys.sent(ROOM, "ann", str(number)) for number in range(150)]


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[RedisCluster]:
    """A cluster whose servers can be cut off from each other."""
    async with RedisCluster.start("valkey", tmp_path, apart=True) as made:
        yield made


async def test_it_does_what_verify_asks_of_it(cluster: RedisCluster) -> None:
    """Slots move both ways, a shard is handed over, cut off and whole again.

    The data is there after each: what verify misses is then the server's doing.
    """
    home = await cluster.shard_of(ROOM)
    async with cluster.client(decode_responses=True) as redis:
        await fill(redis)
        for how in ("atomic", "legacy"):
            for shard in ((home + 1) % SHARDS, home):
                await cluster.reshard([SLOT, SLOT + 1], shard, how)
                assert await cluster.shard_of(ROOM) == shard
                assert await is_filled(redis)
        former = await cluster.primary(home)
        await cluster.failover(home)
        assert await cluster.primary(home) != former
        await cluster.whole()
        assert await is_filled(redis)
        last = await cluster.cut_off(home)
        # It knows that it is alone; the others go on.
        await cluster.fenced(last)
        await cluster.promoted(last)
        assert await cluster.primary(home) == former
        assert await is_filled(redis)
        cluster.rejoin(last)
        await cluster.demoted(last)
        await cluster.whole()
    assert len(cluster.changes) == 2
    await cluster.flush()
    for port in await cluster.primaries():
        assert await cluster.ask(port, "DBSIZE") == 0


async def fill(redis: Redis) -> None:
    """Give a room some keys, more than go in one step."""
    await redis.mset(dict.fromkeys(KEYS, "1"))


async def is_filled(redis: Redis) -> bool:
    """Tell whether the keys are there."""
    return int(await redis.exists(*KEYS)) == len(KEYS)


def test_slots_on_their_way_are_the_old_owner_s() -> None:
    """What moves is named in brackets, and belongs to nobody else yet."""
    (node,) = parse_nodes(
        "07c3 127.0.0.1:7001@7101,host myself,master - 0 0 3 connected"
        " 0-4 7 [93->-292f]\n"
    )
    assert (node.port, node.epoch, node.is_primary) == (7001, 3, True)
    assert [node.owns(slot) for slot in (4, 5, 7, 93)] == [True, False, True, False]


def test_rooms_beside_a_struck_shard_are_held_against_calm() -> None:
    """Only what no other fault may have delayed counts, from the first attempt on."""
    history = History("client-1", "ann")
    for at, room, late in (
        (1.0, "b", 0.010),
        # In the fault: of the struck shard, and of another one.
        (10.0, "a", 2.0),
        (11.0, "b", 0.030),
        # Not calm yet.
        (13.0, "b", 0.5),
    ):
        history.records.append(Sent(at, room, str(at)))
        history.records.append(
            Answered(at + late, room, str(at), Outcome.ACKED, message=1)
        )
    fault = Ended("cluster failover", 9.0, 12.0, rooms=frozenset("a"))
    (found,) = beside([history], [fault])
    assert (found.count, round(found.p99_ms), round(found.calm_p99_ms)) == (1, 30, 10)
    assert round(found.struck_ms) == 2_000
    assert "3.00 x calm" in found.to_text()
