"""Which endpoints this node delivers to: each has one node, over all."""

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Final

from realtime.errors import ChatError
from realtime.redis.connection import ReplyError
from realtime.store.endpoints import Endpoint
from realtime.tasks import end_task
from realtime.webhooks.calls import Ways
from realtime.webhooks.delivery import Delivery
from realtime.webhooks.registry import Registry

# After the death of its node an endpoint waits so long at most, and a look more.
LEASE_MS: Final = 10_000

# Between two looks; a lease is renewed at each.
LOOK_SECONDS: Final = 2.0

# For a node that goes to give an endpoint up.
RELEASE_SECONDS: Final = 1.0

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Running:
    """A delivery of this node's, which is its own until a time of the clock."""

    endpoint: Endpoint
    delivery: Delivery
    task: asyncio.Task[None]
    lease_ends: float


class Deliveries:
    """Delivers to the endpoints that this node got hold of.

    Args:
        registry: Knows which there are.
        ways: What a delivery needs.
        node: This node's id.
    """

    def __init__(self, registry: Registry, ways: Ways, *, node: str) -> None:
        self._registry = registry
        self._ways = ways
        self._node = node
        self._running: dict[str, _Running] = {}

    def __len__(self) -> int:
        return sum(len(each.delivery) for each in self._running.values())

    def look(self, hook_id: str) -> None:
        """Take note that there is something new in an endpoint's queue."""
        running = self._running.get(hook_id)
        if running is not None:
            running.delivery.look()

    async def run(self) -> None:
        """Deliver until cancelled; then others may at once."""
        try:
            while True:
                await self._look()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            for hook_id in list(self._running):
                await self._end(hook_id)

    async def _look(self) -> None:
        listening = self._registry.listening
        for hook_id, running in list(self._running.items()):
            if listening.get(hook_id) != running.endpoint or running.task.done():
                await self._end(hook_id)
        for endpoint in list(listening.values()):
            try:
                await self._hold(endpoint)
            except ReplyError:
                _logger.exception("Endpoint %s cannot be delivered to", endpoint.id)
            except ChatError as error:
                _logger.debug("Endpoint %s: %s", endpoint.id, error.message)
                held = self._running.get(endpoint.id)
                if held is not None and time.monotonic() > held.lease_ends:
                    # Another node delivers by now, or soon.
                    await self._end(endpoint.id)

    async def _hold(self, endpoint: Endpoint) -> None:
        """Get hold of an endpoint, or keep it."""
        lease_ends = time.monotonic() + LEASE_MS / 1000
        own = await self._ways.queues.own(endpoint.id, self._node, lease_ms=LEASE_MS)
        running = self._running.get(endpoint.id)
        if running is not None:
            if own:
                running.lease_ends = lease_ends
            else:
                await self._end(endpoint.id)
        elif own:
            (state,) = await self._ways.endpoints.states([endpoint.id])
            delivery = Delivery(endpoint, self._ways, int(state.get("failingSince", 0)))
            task = asyncio.create_task(
                delivery.run(), name=f"webhooks-delivery-{endpoint.id}"
            )
            self._running[endpoint.id] = _Running(endpoint, delivery, task, lease_ends)

    async def _end(self, hook_id: str) -> None:
        """End a delivery, and leave the endpoint to others."""
        task = self._running.pop(hook_id).task
        self._ways.numbers.waiting.pop(hook_id, None)
        if task.done() and not task.cancelled() and (error := task.exception()):
            _logger.error(
                "Delivery to %s failed; it begins anew", hook_id, exc_info=error
            )
        await end_task(task)
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._ways.queues.own(hook_id, self._node, lease_ms=0)
        except (ChatError, TimeoutError):
            _logger.debug("Endpoint %s was not given up; its lease ends", hook_id)
