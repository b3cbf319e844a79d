"""The rate of a user's messages, over all nodes that they write at."""

import asyncio
import time
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis

from realtime.errors import RateLimitedError
from realtime.rates import Rate
from realtime.redis.client import RedisClient
from realtime.store import keys
from realtime.store.user_rates import UserRates
from tests.kit.running import running
from tests.kit.waiting import LOOK_SECONDS, MS, wait_until

RATE = Rate(100, 100)
NODES = 3
# Until the bursts are spent, and for as long as it is measured then.
BURST_SECONDS = 3_000 * MS
MEASURED_SECONDS = 4_000 * MS
# Between two reports a node may grant more, which is taken off later.
SLACK = 1.12


def took(rates: UserRates) -> int:
    """Take all that a user is granted; return how much that was."""
    count = 0
    while True:
        try:
            rates.take("ann")
        except RateLimitedError:
            return count
        count += 1


async def test_the_rate_holds_over_all_nodes(link: RedisClient) -> None:
    """Who writes at three nodes as fast as they let them gets one rate, not three."""
    nodes = [UserRates(link, RATE, clock=time.monotonic) for _ in range(NODES)]
    taken: list[tuple[float, int]] = []
    async with AsyncExitStack() as stack:
        for node in nodes:
            await stack.enter_async_context(running(node.run()))
        began = time.monotonic()
        while (now := time.monotonic()) < began + BURST_SECONDS + MEASURED_SECONDS:
            taken.append((now, sum(took(node) for node in nodes)))
            await asyncio.sleep(LOOK_SECONDS)
    measured = sum(count for when, count in taken if when > began + BURST_SECONDS)
    assert measured <= SLACK * RATE.per_second * MEASURED_SECONDS, measured
    assert measured >= 0.5 * RATE.per_second * MEASURED_SECONDS, measured


async def test_a_clock_that_was_ahead_blocks_nobody_for_long(
    link: RedisClient, redis_client: Redis
) -> None:
    """What it left in Redis counts as some bursts."""
    hour: int = (await redis_client.time())[0] + 3_600
    await redis_client.set(keys.user_rate("ann"), hour * 1000, ex=3_600)
    rates = UserRates(link, RATE, clock=time.monotonic)
    async with running(rates.run()):
        took(rates)
        await wait_until(lambda: rates.held()["user_blocks"], "it was reported")
        with pytest.raises(RateLimitedError) as limited:
            rates.take("ann")
    assert 0 < (limited.value.retry_after_ms or 0) < 20_000
