"""What a node holds for its connections and rooms, counted.

When all clients are gone each of these is 0, but for the few that a node keeps for
itself or in a pool, which is where it says so. ``chatroom verify`` looks.
"""

import asyncio
from typing import TYPE_CHECKING

from realtime.durability import Durability
from realtime.presence_counts import PresenceCounts
from realtime.server import ChatroomServer
from realtime.services import Services
from realtime.session_lists import SessionLists

if TYPE_CHECKING:
    from realtime.manager import ChatroomManager


def count_objects(
    server: ChatroomServer,
    services: Services,
    *,
    lists: SessionLists,
    counts: PresenceCounts,
    durability: Durability,
    requests: int,
) -> dict[str, int]:
    """Return how many of each kind there are now; takes a look at each room.

    Args:
        server: With its engine and its manager.
        services: The parts that carry requests out.
        lists: The sessions in rooms.
        counts: Announces how many are in large rooms.
        durability: Confirms writes.
        requests: Those that wait for their answer.
    """
    manager: ChatroomManager = server.manager
    return {
        # The node's own tasks among them, some twenty.
        "asyncio_tasks": len(asyncio.all_tasks()),
        "requests": requests,
        **server.held(),
        **manager.held(),
        **manager.feeds.held(),
        # One channel for what concerns all nodes.
        **manager.subscriber.held(),
        "control_messages": len(manager.control),
        # An entry outlives its session until it is due, or is one of too many.
        **services.sessions.held(),
        **services.attendance.held(),
        **lists.held(),
        # Of users: full buckets are dropped when there are some thousands.
        "request_buckets": len(services.rates),
        **services.user_rates.held(),
        "presence_counts": len(counts),
        "image_slots": services.images.slots_taken,
        "durable_writes": len(durability),
    }
