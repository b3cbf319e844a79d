"""A deployment made for a run: nodes on a Redis, a proxy in every line."""

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

from redis.asyncio import Redis

from verify.failovers import Failover, with_unasked
from verify.processes import NodeProcess, ValkeyProcess
from verify.proxy import FaultProxy, Streams
from verify.redis_ways import RedisWay, SentinelWay, SocketWay
from verify.sentinel_group import SentinelGroup

NODE_COMMAND = (sys.executable, "-m", "realtime")

NODE_SETTINGS = {
    # Faults are seconds long: a silent cut must show within them.
    "CHATROOM_PING_INTERVAL_SECONDS": "2",
    "CHATROOM_PING_TIMEOUT_SECONDS": "2",
    # The whole log is compared at the end, so nothing may be trimmed.
    "CHATROOM_LOG_EVENTS": "1000000",
    "CHATROOM_HISTORY_MESSAGES": "1000000",
    # A killed node's sessions are swept while the run still looks.
    "CHATROOM_LEASE_SECONDS": "4",
}
"""Settings that differ from the defaults, with the reason."""


class NodeSlot:
    """A node's place: its process, and the lines to its Redis and its clients.

    Attributes:
        name: ``node 1`` and so on.
        process: The node, which may be killed and started again.
        redis_line: Between the node and Redis.
        client_line: Between clients and the node.
        url: Where clients connect, whatever the node's port.
    """

    def __init__(self, number: int, way: RedisWay, process: NodeProcess) -> None:
        self.name = f"node {number}"
        self._way = way
        self.redis_line = way.line
        self.client_line = FaultProxy(self._connect)
        self.process = process
        self.url = ""

    async def start(self) -> None:
        """Open the lines and start the node."""
        self.process.redis_url = await self._way.open()
        self.url = f"http://127.0.0.1:{await self.client_line.listen_tcp()}"
        await self.process.start()

    async def aclose(self) -> None:
        """End the node and close the lines."""
        await self.process.kill()
        await self.client_line.aclose()
        await self._way.aclose()

    async def _connect(self) -> Streams:
        return await asyncio.open_connection("127.0.0.1", self.process.port)


class Deployment:
    """A Redis and several nodes, from the start of a run to its end.

    Attributes:
        group: The servers and Sentinels; None where the Redis is one Valkey.
        struck_failovers: Those that faults led to.
        durability: What the nodes acknowledge.
        is_lazy: Whether the one Valkey answers before a write is on disk.

    Args:
        folder: An empty folder for data, sockets and logs; its path must be short,
            as sockets' paths are.
        nodes: How many.
        command: What runs the ``chatroom`` command; another one for a node with a
            deliberate defect.
        sentinel: Whether the Redis is a primary with replicas under Sentinels.
        durability: ``CHATROOM_DURABILITY`` of the nodes.
    """

    def __init__(
        self,
        folder: Path,
        *,
        nodes: int,
        command: Sequence[str] = NODE_COMMAND,
        sentinel: bool = False,
        durability: str = "memory",
    ) -> None:
        self.group = SentinelGroup(folder) if sentinel else None
        # Acks that wait for the disk prove nothing on a server that always does.
        self.is_lazy = durability == "fsync" and not sentinel
        self._valkey = ValkeyProcess(folder, lazy=self.is_lazy)
        self.struck_failovers: list[Failover] = []
        self.durability = durability
        self.slots = [
            NodeSlot(
                number,
                self._way(folder, number),
                NodeProcess(
                    command,
                    redis_url="",
                    log_path=folder / f"node{number}.log",
                    variables=_variables(folder, durability),
                ),
            )
            for number in range(1, nodes + 1)
        ]
        self.connector = None
        self._stack = AsyncExitStack()

    def _way(self, folder: Path, number: int) -> RedisWay:
        if self.group is not None:
            return SentinelWay(self.group)
        return SocketWay(self._valkey.socket, folder / f"node{number}.sock")

    @property
    def valkey(self) -> ValkeyProcess:
        """The one Valkey.

        Raises:
            ValueError: There are several servers.
        """
        if self.group is not None:
            raise ValueError("this site has Sentinels")
        return self._valkey

    @property
    def places(self) -> Sequence[NodeSlot]:
        """The nodes, as clients see them."""
        return self.slots

    @property
    def failovers(self) -> Sequence[Failover]:
        """Those that faults led to, and those of the Sentinels' own."""
        changes = () if self.group is None else self.group.changes
        return with_unasked(self.struck_failovers, changes)

    @property
    def redis(self) -> Redis:
        """Where the rooms are kept."""
        if self.group is not None:
            return self.group.admin(self.group.primary)
        return self._valkey.admin

    async def __aenter__(self) -> Self:
        try:
            redis = self._valkey if self.group is None else self.group
            self._stack.push_async_callback(redis.aclose)
            await redis.start()
            for slot in self.slots:
                self._stack.push_async_callback(slot.aclose)
            await asyncio.gather(*(slot.start() for slot in self.slots))
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._stack.aclose()

    def tracebacks(self) -> dict[str, str]:
        """Return the first traceback in each node's log since the last call."""
        found = {}
        for slot in self.slots:
            text = slot.process.new_log()
            _, mark, rest = text.partition("Traceback (most recent call last)")
            if mark:
                found[slot.name] = mark + rest[:3000]
        return found


def _variables(folder: Path, durability: str) -> dict[str, str]:
    """Return the environment of a node: nothing of the user's own settings."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CHATROOM_")
    }
    own = {
        "CHATROOM_DATA_DIR": str(folder),
        "CHATROOM_DURABILITY": durability,
        "PYTHONUNBUFFERED": "1",
    }
    return {**inherited, **NODE_SETTINGS, **own}
