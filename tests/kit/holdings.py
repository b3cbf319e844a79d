"""What a node holds for its clients, counted by its own metrics.

A stranger that is gone must have left no trace in any of them: growth is what turns
harmless junk into an outage.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import redis

from tests.kit.metrics import labelled
from tests.kit.nodes import Node
from tests.kit.waiting import wait_until

# What is written to Redis for people who talk meanwhile, not for the stranger.
RUNNING_KEYS = (b"chatroom:nodes", b"chatroom:secret")
# The messages of those who talk; the test's own tasks; and what is bounded by itself
# and outlives its reason for a while.
RUNNING_KINDS = {"feed_events", "feed_bytes", "asyncio_tasks"}
RUNNING_KINDS |= {"session_ends", "request_buckets", "user_buckets", "room_orders"}


def holdings(node: Node) -> dict[str, int]:
    """Count everything that a node keeps for a connection, a session or a room."""
    objects = labelled(node, "chatroom_objects")
    assert objects.keys() > RUNNING_KINDS
    kept = {kind: objects[kind] for kind in objects.keys() - RUNNING_KINDS}
    return {**kept, "descriptors": _descriptors()}


async def returns_to(node: Node, before: dict[str, int]) -> None:
    """Return when a node holds no more than it did; fail if it never does."""
    grown: dict[str, tuple[int, int]] = {}

    def is_back() -> bool:
        grown.clear()
        for name, now in holdings(node).items():
            if now > before[name]:
                grown[name] = before[name], now
        return not grown

    try:
        await wait_until(is_back, "nothing has grown")
    except AssertionError:
        raise AssertionError(f"grown, from and to: {grown}") from None


def redis_keys(admin: "redis.Redis", *, without: Iterable[bytes] = ()) -> set[bytes]:
    """Return the names of all keys but those that contain one of these words."""
    names: Iterable[bytes] = admin.scan_iter(count=1000)
    return {
        name
        for name in names
        if name not in RUNNING_KEYS and not any(word in name for word in without)
    }


def _descriptors() -> int:
    """Count open files and connections.

    But not what leads to the decoders of images, nor what threads and loops are woken
    by: they come with the first use, and stay.
    """
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        # The one of this look is closed already.
        with suppress(FileNotFoundError):
            found.append(str(descriptor.readlink()))
    return sum(not name.startswith(("pipe:", "anon_inode:")) for name in found)
