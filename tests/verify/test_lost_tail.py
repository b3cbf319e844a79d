"""Redis comes back without its last seconds, as after a failover."""

from collections import Counter

import pytest
from redis.asyncio import Redis

from realtime.store import keys
from tests.kit.nodes import NAMESPACE, client, run_nodes
from tests.kit.redis_server import RedisServer
from tests.kit.waiting import MS, wait_until
from verify.faults.kinds import TAIL_LOST
from verify.final_logs import presence_error
from verify.plan import Fault, Plan, Planned
from verify.runs import run_trial

pytestmark = pytest.mark.long

ROOM = "tail"
LEASE_SECONDS = 400 * MS


@pytest.mark.timeout(60)
async def test_a_lost_tail_is_told_and_never_shows_as_different_histories() -> None:
    """Who showed what is gone is told to reload; all end with the same room.

    What was acknowledged in the lost seconds is gone, and only that.
    """
    schedule = [
        Planned(0.5, Fault(TAIL_LOST, 0, 1.0)),
        Planned(4.0, Fault("Redis CLIENT KILL pubsub", 0, 0.0)),
        Planned(4.5, Fault(TAIL_LOST, 0, 0.5)),
    ]
    told: list[str] = []
    report = await run_trial(
        Plan(
            seed=1,
            seconds=5.5,
            clients=6,
            nodes=2,
            schedule=schedule,
            rate=7.0,
        ),
        told.append,
    )
    assert report.good, "\n".join([*told, report.to_text()])
    assert report.figures["begun_anew"] > 0


async def test_who_is_here_is_right_again_after_a_lost_tail(
    redis_url: str, redis_server: RedisServer
) -> None:
    """Redis knows a session again that has ended, and forgot one that is here."""
    async with (
        Redis.from_url(redis_server.url) as redis,
        run_nodes(1, redis_url, lease_seconds=LEASE_SECONDS) as [node],
    ):
        async with client(node, "ann") as ann:
            await ann.call("join", {"room": ROOM}, namespace=NAMESPACE)
            names = [
                keys.sessions(ROOM),
                keys.online(ROOM),
                keys.node_sessions(node.parts.id),
            ]
            older = [await redis.dump(name) or b"" for name in names]

        async def gone() -> bool:
            return not await redis.exists(*names)

        await wait_until(gone, "ann has left")
        async with client(node, "bob") as bob:
            await bob.call("join", {"room": ROOM}, namespace=NAMESPACE)
            for name, value in zip(names, older, strict=True):
                await redis.restore(name, 0, value, replace=True)
            await redis.client_kill_filter(_type="normal", skipme=True)

            async def right() -> bool:
                return not await presence_error(redis, ROOM, Counter(["bob"]))

            await wait_until(right, "bob is here and ann is not")
