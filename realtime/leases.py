"""Leases: a node that stops renewing is dead, and another clears up after it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from realtime import keys, lua
from realtime.errors import ChatError
from realtime.presence import Presence
from realtime.redis_link import RedisLink

log = logging.getLogger(__name__)

RENEW_SECONDS = 2.0
"""How often a node renews its lease and looks for dead ones."""

LEASE_SECONDS = 8.0
"""Length of a lease. Three renewals may fail (a failover, a long pause) before a node
is given up; with the look every two seconds its sessions are gone within 15 s."""


class NodeLease:
    """This node's lease, and the sweep of nodes whose lease has run out.

    Args:
        link: The commands' connection.
        node: Id of this node.
        presence: Clears a dead node's sessions.
        relist: Called when this node's own lease was found gone (it was paused, or
            Redis lost it): others may have cleared its sessions, list them again.
    """

    def __init__(
        self,
        link: RedisLink,
        *,
        node: str,
        presence: Presence,
        relist: Callable[[], Awaitable[None]],
    ) -> None:
        self._link = link
        self._node = node
        self._presence = presence
        self._relist = relist
        self._known = False
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to renew, in a task that :meth:`aclose` ends."""
        if self._running is None:
            self._running = asyncio.create_task(self._run(), name="node-lease")

    async def aclose(self) -> None:
        """Stop renewing and give the lease back; Redis may be away."""
        if self._running is None:
            return
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        self._running = None
        try:
            await self._presence.sweep(self._node)
            await self._link.call("ZREM", keys.NODES, self._node)
        except ChatError as error:
            log.warning("The lease could not be given back: %s", error.message)

    async def _run(self) -> None:
        while True:
            try:
                await self._renew()
            except ChatError as error:
                # Redis is away; the lease lives on for LEASE_SECONDS.
                log.warning("The lease could not be renewed: %s", error.message)
            except Exception:
                log.exception("A lease's renewal failed; it goes on with the next")
            await asyncio.sleep(RENEW_SECONDS)

    async def _renew(self) -> None:
        held, expired = await self._link.run(
            lua.LEASES_RENEW, (keys.NODES,), (self._node, int(LEASE_SECONDS * 1000))
        )
        if self._known and not held:
            await self._relist()
        self._known = True
        for name in expired:
            node = name.decode()
            swept = await self._presence.sweep(node)
            await self._link.call("ZREM", keys.NODES, node)
            log.warning("Node %s is gone; %d of its sessions were ended", node, swept)
