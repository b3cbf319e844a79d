"""What a node holds for its connections and rooms, counted.

When all clients are gone each of these is 0, but for the few that a node keeps for
itself or in a pool, which is where it says so. ``chatroom verify`` looks.
"""

import asyncio
from collections.abc import Mapping

from realtime.node.wiring import Parts
from realtime.services import Services


def count_objects(
    parts: Parts, services: Services, *, requests: Mapping[str, int]
) -> dict[str, int]:
    """Return how many of each kind there are now; takes a look at each room.

    Args:
        parts: What the node consists of.
        services: The parts that carry requests out.
        requests: What waits for an answer, by kind.
    """
    manager = parts.manager
    return {
        # The node's own tasks among them, some twenty.
        "asyncio_tasks": len(asyncio.all_tasks()),
        **requests,
        **parts.server.held(),
        **manager.held(),
        **manager.feeds.held(),
        # One channel for what concerns all nodes.
        **manager.subscriber.held(),
        "control_messages": len(manager.control),
        # An entry outlives its session until it is due, or is one of too many.
        **services.sessions.held(),
        **services.attendance.held(),
        **parts.lists.held(),
        # Of users: full buckets are dropped when there are some thousands.
        "request_buckets": len(services.rates),
        **services.user_rates.held(),
        "presence_counts": len(parts.counts),
        "image_slots": services.images.slots_taken,
        "durable_writes": len(parts.durability),
    }
