"""Leases: a node that stops renewing is dead, and another clears up after it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from realtime.errors import ChatError
from realtime.presence.presence import Presence
from realtime.redis.client import RedisClient
from realtime.redis.connection import ReplyError
from realtime.store import keys, scripts

_logger = logging.getLogger(__name__)

# Renewals in the length of a lease. Three may fail (a failover, a long pause) before a
# node is given up.
RENEWALS = 4

# Part of a lease that a node whose own has run out gives the others to renew theirs:
# Redis was away, perhaps, and they live as well.
PATIENCE = 0.5


class NodeLease:
    """This node's lease, and the sweep of nodes whose lease has run out.

    Args:
        redis: The client that carries commands out.
        node: Id of this node.
        presence: Clears a dead node's sessions.
        relist: Called when this node's lists may not be as it left them: its lease
            was found gone (it was paused: others have cleared them), or the
            connection to Redis is another one.
        reconcile: Called after each renewal: mends what an outage left on the lists.
        lease_seconds: Length of a lease; a dead node's sessions are gone after this
            and a quarter more.

    Attributes:
        is_refused: Whether Redis answers and would not take the last renewal: it is
            full, for one, and takes no messages either.
    """

    def __init__(
        self,
        redis: RedisClient,
        *,
        node: str,
        presence: Presence,
        relist: Callable[[], Awaitable[None]],
        reconcile: Callable[[], Awaitable[None]],
        lease_seconds: float,
    ) -> None:
        self._redis = redis
        self._node = node
        self._presence = presence
        self._relist = relist
        self._reconcile = reconcile
        self._lease_seconds = lease_seconds
        self._known = False
        self._relist_due = False
        self._sweeps_from = 0.0
        self._generation = 0
        self.is_refused = False

    async def run(self) -> None:
        """Renew the lease and sweep the dead; cancelled, give the lease back."""
        try:
            while True:
                await self._renew_or_log()
                await asyncio.sleep(self._lease_seconds / RENEWALS)
        finally:
            await self._give_back()

    async def _give_back(self) -> None:
        try:
            await self._presence.sweep(self._node)
            await self._redis.call("ZREM", keys.NODES, self._node)
        except (ChatError, ReplyError) as error:
            _logger.warning("The lease could not be given back: %s", error)

    async def _renew_or_log(self) -> None:
        try:
            await self._renew()
            self.is_refused = False
        except ChatError as error:
            # Redis is away, or full; the lease lives on for a while.
            self.is_refused = self._redis.healthy
            _logger.warning("The lease could not be renewed: %s", error.message)
        except Exception:
            _logger.exception("A lease's renewal failed; it goes on with the next")

    async def _renew(self) -> None:
        held, expired = await scripts.leases_renew(
            self._redis,
            nodes=keys.NODES,
            node=self._node,
            lease_ms=int(self._lease_seconds * 1000),
        )
        generation = self._redis.generation
        # Over another connection Redis may be one that lost its last seconds: what it
        # lists then is of the past.
        if self._known and (not held or generation != self._generation):
            self._relist_due = True
        self._generation = generation
        now = asyncio.get_running_loop().time()
        if self._known and not held:
            self._sweeps_from = now + PATIENCE * self._lease_seconds
        self._known = True
        if self._relist_due:
            # Due until it has succeeded: nothing else would tell of it again.
            await self._relist()
            self._relist_due = False
        await self._reconcile()
        if now < self._sweeps_from:
            return
        for node in expired:
            try:
                swept = await self._presence.sweep(node)
                await self._redis.call("ZREM", keys.NODES, node)
            except ReplyError:
                # What is wrong with one node's list must not keep the others listed.
                _logger.exception("Sessions of node %s cannot be ended", node)
                continue
            _logger.warning(
                "Node %s is gone; %d of its sessions were ended", node, swept
            )
