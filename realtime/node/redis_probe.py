"""Asks Redis the time, once a second: how long it takes, and how its clock goes."""

import asyncio
import logging
import time
from typing import Final

from realtime.errors import ChatError
from realtime.redis.client import RedisClient
from realtime.redis.connection import ReplyError
from realtime.traffic import Traffic

# Enough for a p99 over five minutes, and for a clock that is set.
PROBE_SECONDS: Final = 1.0

_logger = logging.getLogger(__name__)


class RedisProbe:
    """Measures Redis by a question that costs it nothing, asked behind all others.

    So its time is that of any command: on the way, in Redis's queue and in the node's.

    Args:
        redis: The client that carries it out.
        traffic: Where it is counted.
    """

    def __init__(self, redis: RedisClient, traffic: Traffic) -> None:
        self._redis = redis
        self._traffic = traffic
        self._has_failed = False

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            try:
                await self._ask()
                self._has_failed = False
            except (ChatError, ReplyError) as error:
                # Once: as long as Redis is away, `chatroom_redis_up` says so.
                if not self._has_failed:
                    self._has_failed = True
                    _logger.warning("Redis does not say what time it is: %s", error)
            await asyncio.sleep(PROBE_SECONDS)

    async def _ask(self) -> None:
        begun, wall = time.perf_counter(), time.time()
        seconds, microseconds = await self._redis.call("TIME")
        took = time.perf_counter() - begun
        self._traffic.redis.observe(took)
        # Wrong by half of the way at most.
        told = int(seconds) + int(microseconds) / 1_000_000
        self._traffic.redis_ahead_seconds = told - (wall + took / 2)
