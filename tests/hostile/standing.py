"""What a node holds for its clients, counted by its own registries.

A stranger that is gone must have left no trace in any of them: growth is what turns
harmless junk into an outage.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import redis

from realtime.node.app import NODE
from realtime.services import Services
from tests.kit.nodes import Node
from tests.kit.waiting import wait_until

# What is written to Redis for people who talk meanwhile, not for the stranger.
RUNNING_KEYS = (b"chatroom:nodes", b"chatroom:secret")


def services_of(node: Node) -> Services:
    """Return a node's parts."""
    services = node.app[NODE]._services
    assert services is not None
    return services


def standing(node: Node) -> dict[str, int]:
    """Count everything that a node keeps for a connection, a session or a room."""
    running = node.app[NODE]
    parts = running.parts
    server, manager = parts.server, parts.manager
    services = services_of(node)
    hub = server.eio.hub
    return {
        "sessions": len(services.sessions),
        "Engine.IO sessions": len(server.eio.sockets),
        "environments": len(server.environ),
        "packets that wait for attachments": len(server._half_packets),
        "connections without a namespace": len(server._without_namespace),
        "connections that close": len(hub.closing),
        "upgrades": len(hub.upgrades),
        "lingering": len(hub._lingering),
        "heartbeats": len(hub.heartbeat._waiting) + len(hub.heartbeat._pinged),
        "tasks": len(hub.tasks),
        "rooms' sessions": _sizes(manager.rooms),
        "sessions' rooms": _sizes(manager._rooms_of),
        "sids": _sizes(manager._sids),
        "pending": _sizes(manager.pending_connect) + _sizes(manager.pending_disconnect),
        "callbacks": len(manager.callbacks),
        "feeds": len(manager.feeds),
        "subscriptions": len(manager.subscriber._wanted),
        "control messages": len(manager.control._waiting),
        **parts.lists.held(),
        **services.attendance.held(),
        "images": services.images._waiting.total(),
        "requests": running._namespace.under_way if running._namespace else 0,
        "descriptors": _descriptors(),
    }


async def returns_to(node: Node, before: dict[str, int]) -> None:
    """Return when a node holds no more than it did; fail if it never does."""
    grown: dict[str, tuple[int, int]] = {}

    def is_back() -> bool:
        now = standing(node)
        grown.clear()
        grown.update(
            {
                name: (before[name], now[name])
                for name in now
                if now[name] > before[name]
            }
        )
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

    But not what leads to the decoders of images: they come with the first ones, and
    stay.
    """
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        # The one of this look is closed already.
        with suppress(FileNotFoundError):
            found.append(str(descriptor.readlink()))
    return sum(not name.startswith(("pipe:", "anon_inode:[pidfd]")) for name in found)


def _sizes(registry: Any) -> int:
    """Count the entries of a registry by namespace, two levels deep."""
    return sum(
        1 + (len(inner) if isinstance(inner, dict | set | tuple) else 0)
        for by_name in registry.values()
        for inner in (by_name.values() if isinstance(by_name, dict) else by_name)
    )
