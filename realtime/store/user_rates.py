"""The rate of a user's messages, over all their connections and all nodes.

Each node counts for itself and decides at once; nothing waits for Redis. A user who
has taken a good part of the burst at one node is reported to Redis, where the nodes'
counts come together, and is blocked at the node for as long as the sum is too much.
From then on each message counts there, until all that was taken is filled up again.
Whoever writes at a human pace is never reported and costs nothing.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from realtime.errors import ChatError
from realtime.rates import USER, Buckets, Quota, Rate, too_many
from realtime.redis.client import RedisClient
from realtime.store import keys, scripts
from schemas.field_types import KEY_SENDER

_logger = logging.getLogger(__name__)

# How often counts come together. Until then a user of N nodes may have taken N times
# their burst; what was not reported at first, N times a part of it, is theirs; in the
# long run the rate holds.
REPORT_SECONDS: Final = 0.25

# Part of the burst that must be taken at a node before a user is reported.
REPORT_SHARE: Final = 0.25


class UserRates:
    """Limits messages by user.

    Args:
        redis: The client that carries commands out.
        rate: What one user may send; None: anything.
        clock: Seconds; never goes back.
    """

    def __init__(
        self, redis: RedisClient, rate: Rate | None, *, clock: Callable[[], float]
    ) -> None:
        self._redis = redis
        self._rate = rate
        self._clock = clock
        self._buckets = Buckets()
        self._unreported: dict[str, int] = {}
        self._blocked_until: dict[str, float] = {}
        # Until when every message of a user counts, for it is too many over all nodes
        # though it may be few at this one.
        self._watched_until: dict[str, float] = {}

    async def run(self) -> None:
        """Report until cancelled; nothing to do without a rate."""
        if self._rate is not None:
            await self._report_all(self._rate)

    def held(self) -> dict[str, int]:
        """Return what is kept of users, counted by kind."""
        return {
            "user_buckets": len(self._buckets),
            "user_reports": len(self._unreported),
            "user_blocks": len(self._blocked_until),
            "user_watches": len(self._watched_until),
        }

    def take(self, user: str) -> None:
        """Count one message of a user.

        A key's are not counted: a backend speaks for all its users, and is held to the
        node's bound of requests under way.

        Raises:
            RateLimitedError: Too many; it was not counted.
        """
        rate = self._rate
        if rate is None or user[0] == KEY_SENDER:
            return
        now = self._clock()
        wait = self._blocked_until.get(user, now) - now
        if wait <= 0:
            wait = self._buckets.take(user, rate, now)
        if wait > 0:
            raise too_many(wait, "rate_user")
        if (
            user in self._watched_until
            or self._buckets.taken(user, rate, now) > rate.burst * REPORT_SHARE
        ):
            self._unreported[user] = self._unreported.get(user, 0) + 1

    def quota(self, user: str) -> Quota | None:
        """Return what is left at this node of a user's rate; None: no limit."""
        rate = self._rate
        if rate is None:
            return None
        taken = self._buckets.taken(user, rate, self._clock())
        return Quota(USER, rate, rate.burst - taken)

    async def _report_all(self, rate: Rate) -> None:
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            now = self._clock()
            for kept in (self._blocked_until, self._watched_until):
                for user in [user for user, end in kept.items() if end <= now]:
                    del kept[user]
            reports, self._unreported = self._unreported, {}
            outcomes = await asyncio.gather(
                *(self._report(user, count, rate) for user, count in reports.items()),
                return_exceptions=True,
            )
            for outcome in outcomes:
                if isinstance(outcome, ChatError):
                    # Without Redis nothing is sent either; the local limit holds.
                    _logger.debug("A user's rate was not reported: %s", outcome.message)
                elif isinstance(outcome, BaseException):
                    _logger.error("A user's rate was not reported", exc_info=outcome)

    async def _report(self, user: str, count: int, rate: Rate) -> None:
        each_ms = 1000 / rate.per_second
        wait = await scripts.user_rates_report(
            self._redis,
            rate=keys.user_rate(user),
            taken_ms=round(count * each_ms),
            burst_ms=round(rate.burst * each_ms),
        )
        now = self._clock()
        self._watched_until[user] = now + wait.all_ms / 1000
        if wait.more_ms > 0:
            until = now + wait.more_ms / 1000
            self._blocked_until[user] = until
            # What it would grant at once then was taken at another node.
            self._buckets.empty(user, rate, until)
