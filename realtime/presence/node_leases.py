"""Leases: a node that stops renewing is dead, and another clears up after it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from realtime.errors import ChatError
from realtime.presence.presence import Presence
from realtime.redis.client import RedisClient
from realtime.redis.connection import ReplyError
from realtime.store import keys, scripts
from realtime.store.scripts import Lease

_logger = logging.getLogger(__name__)

# Renewals in the length of a lease. Three may fail (a failover, a long pause) before a
# node is given up.
RENEWALS = 4

# Part of a lease that a node at the beginning of its life gives the others to renew
# theirs: Redis was away, perhaps, and they live as well.
PATIENCE = 0.5


class NodeLease:
    """This node's lease, and the sweep of nodes whose lease has run out.

    Args:
        redis: The client that carries commands out.
        presence: Names this node's life, and clears a dead one's sessions.
        relist: Called when this node's lists may not be as it left them: it was taken
            for dead (it was paused, or Redis was away) and lives on under another
            name, or the connection to Redis is another one. Given what tells of a room
            whether its list is among them.
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
        presence: Presence,
        relist: Callable[[Callable[[str], bool]], Awaitable[None]],
        reconcile: Callable[[], Awaitable[None]],
        lease_seconds: float,
    ) -> None:
        self._redis = redis
        self._presence = presence
        self._relist = relist
        self._reconcile = reconcile
        self._lease_seconds = lease_seconds
        # Whether a life was begun, and whether Redis has said that it was.
        self._began = False
        self._known = False
        # Of a cluster's shards only those whose connection is newer than that; None: no
        # relisting is due.
        self._relist_since: int | None = None
        self._sweeps_from = 0.0
        self._generation = 0
        self._has_failed = False
        self._renewed_at = 0.0
        self.is_refused = False

    @property
    def life(self) -> str:
        """The name under which this node lists its sessions now."""
        return self._presence.life

    async def bury(self, life: str) -> bool:
        """End the sessions of a node that is known to have died, whatever its lease.

        Returns:
            Whether it is done; otherwise its lease will run out.
        """
        try:
            await self._sweep([life])
        except ChatError as error:
            _logger.warning("The sessions of %s stay for now: %s", life, error.message)
            return False
        return True

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
            life = self._presence.life
            await self._presence.sweep(life)
            await self._redis.call("ZREM", keys.NODES, life)
        except (ChatError, ReplyError) as error:
            _logger.warning("The lease could not be given back: %s", error)

    async def _renew_or_log(self) -> None:
        try:
            await self._renew()
            self.is_refused = self._has_failed = False
            self._renewed_at = time.monotonic()
        except ChatError as error:
            # Redis is away, or full; the lease lives on for a while. Of a cluster it is
            # one shard, perhaps, and the others serve.
            is_over = time.monotonic() - self._renewed_at > self._lease_seconds
            self.is_refused = self._redis.healthy and (
                is_over or not self._redis.is_cluster
            )
            # Once: the next try is soon, and as long as it lasts `/readyz` says so.
            if not self._has_failed:
                self._has_failed = True
                _logger.warning("The lease could not be renewed: %s", error.message)
        except Exception:
            _logger.exception("A lease's renewal failed; it goes on with the next")

    async def _renew(self) -> None:
        lease = await self._ask() if self._known else await self._begin()
        if not lease.held:
            # Taken for dead: others clear up after this life, or are about to.
            self._known = False
            lease = await self._begin()
        generation = self._redis.generation
        # Over another connection Redis may be one that lost its last seconds: what it
        # lists then is of the past.
        if generation != self._generation and self._generation > 0:
            self._relist_later(self._generation)
        self._generation = generation
        if self._relist_since is not None:
            # Due until it has succeeded: nothing else would tell of it again.
            await self._relist(self._is_newer_than(self._relist_since))
            self._relist_since = None
        await self._reconcile()
        if asyncio.get_running_loop().time() >= self._sweeps_from:
            await self._sweep(lease.dead)

    def _relist_later(self, since: int) -> None:
        known = self._relist_since
        self._relist_since = since if known is None else min(known, since)

    def _is_newer_than(self, since: int) -> Callable[[str], bool]:
        """Return what tells whether a room's shard may have gone back since."""
        generation_of = self._redis.generation_of
        # This node's own list names them all.
        own = generation_of(keys.node_sessions(self._presence.life))

        def is_newer(room: str) -> bool:
            return own > since or generation_of(keys.sessions(room)) > since

        return is_newer

    async def _begin(self) -> Lease:
        """Begin a life: the first one, or one that nobody has taken for dead."""
        former = ""
        if self._began:
            # Another one also where it is not known whether the last one began: it may
            # have, and have been swept since.
            former = self._presence.life
            self._presence.begin_life()
            self._relist_later(0)
        self._began = True
        lease = await self._ask(former)
        self._known = True
        now = asyncio.get_running_loop().time()
        self._sweeps_from = now + PATIENCE * self._lease_seconds
        return lease

    def _ask(self, former: str = "") -> Awaitable[Lease]:
        return scripts.leases_renew(
            self._redis,
            nodes=keys.NODES,
            node=self._presence.life,
            lease_ms=int(self._lease_seconds * 1000),
            begins=not self._known,
            former=former,
        )

    async def _sweep(self, dead: list[str]) -> None:
        for node in dead:
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
