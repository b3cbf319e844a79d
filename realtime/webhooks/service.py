"""Webhooks of a node, as a whole."""

import asyncio
from collections.abc import Mapping, Sequence

from realtime.addresses import Network
from realtime.redis.client import RedisClient
from realtime.store.endpoints import Endpoint, Endpoints
from realtime.store.hook_queues import HookQueues
from realtime.store.outbox import Outbox
from realtime.webhooks.administration import HookAdministration
from realtime.webhooks.calls import Ways
from realtime.webhooks.deliveries import Deliveries
from realtime.webhooks.follower import Follower
from realtime.webhooks.numbers import WebhookNumbers
from realtime.webhooks.push import PushWatch, QuietRule
from realtime.webhooks.registry import Registry


class Webhooks:
    """Tells endpoints what happens; where there is none it only looks for some.

    Args:
        redis: The client that carries commands out.
        outbox: Knows which rooms have something new.
        node: This node's id.
        of_file: Endpoints of the configuration.
        allowed: Networks in which endpoints may be besides the internet.
        limit_bytes: Of an endpoint's queue.
        quiet: Who is not told of messages while they are absent.
        numbers: What is counted.

    Attributes:
        administration: What is done to endpoints.
    """

    def __init__(
        self,
        redis: RedisClient,
        outbox: Outbox,
        *,
        node: str,
        of_file: Sequence[Endpoint],
        allowed: Sequence[Network],
        limit_bytes: int,
        quiet: Sequence[QuietRule],
        numbers: WebhookNumbers,
    ) -> None:
        endpoints = Endpoints(redis)
        queues = HookQueues(redis, limit_bytes=limit_bytes)
        self._outbox = outbox
        self._registry = Registry(endpoints, outbox, of_file)
        self._deliveries = Deliveries(
            self._registry, Ways(queues, endpoints, allowed, numbers), node=node
        )
        self.administration = HookAdministration(endpoints, queues, of_file, allowed)
        self._pushes = PushWatch(redis, self._registry, quiet)
        self._follower = Follower(
            outbox,
            self._registry,
            queues,
            self._pushes,
            numbers,
            self._deliveries.look,
        )

    def held(self) -> Mapping[str, int]:
        """Return what is held, counted by kind."""
        return {"outbox_rooms": len(self._outbox), "hook_events": len(self._deliveries)}

    async def run(self) -> None:
        """Tell until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for name, run in (
                ("registry", self._registry.run()),
                ("follower", self._follower.run()),
                ("pushes", self._pushes.run(self._follower.tell)),
                ("deliveries", self._deliveries.run()),
            ):
                tasks.create_task(run, name=f"webhooks-{name}")
