"""A deployment made for a run: nodes on one Valkey, a proxy in every line."""

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Self

from redis.asyncio import Redis

from realtime.verify.processes import NodeProcess, ValkeyProcess
from realtime.verify.proxy import FaultProxy, Streams

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

    def __init__(
        self, number: int, folder: Path, valkey: ValkeyProcess, command: Sequence[str]
    ) -> None:
        self.name = f"node {number}"
        self._socket = folder / f"node{number}.sock"
        self.redis_line = FaultProxy(
            partial(asyncio.open_unix_connection, valkey.socket)
        )
        self.client_line = FaultProxy(self._connect)
        self.process = NodeProcess(
            command,
            redis_url=f"unix://{self._socket}",
            log_path=folder / f"node{number}.log",
            variables=_variables(folder),
        )
        self.url = ""

    async def start(self) -> None:
        """Open the lines and start the node."""
        await self.redis_line.listen_unix(self._socket)
        self.url = f"http://127.0.0.1:{await self.client_line.listen_tcp()}"
        await self.process.start()

    async def aclose(self) -> None:
        """End the node and close the lines."""
        await self.process.kill()
        await self.client_line.aclose()
        await self.redis_line.aclose()

    async def _connect(self) -> Streams:
        return await asyncio.open_connection("127.0.0.1", self.process.port)


class Deployment:
    """One Valkey and several nodes, from the start of a run to its end.

    Args:
        folder: An empty folder for data, sockets and logs; its path must be short,
            as sockets' paths are.
        nodes: How many.
        command: What runs the ``chatroom`` command; another one for a node with a
            deliberate defect.
    """

    def __init__(
        self, folder: Path, *, nodes: int, command: Sequence[str] = NODE_COMMAND
    ) -> None:
        self.valkey = ValkeyProcess(folder)
        self.slots = [
            NodeSlot(number, folder, self.valkey, command)
            for number in range(1, nodes + 1)
        ]
        self.resolver = None
        self._stack = AsyncExitStack()

    @property
    def places(self) -> Sequence[NodeSlot]:
        """The nodes, as clients see them."""
        return self.slots

    @property
    def redis(self) -> Redis:
        """Where the rooms are kept."""
        return self.valkey.admin

    async def __aenter__(self) -> Self:
        try:
            self._stack.push_async_callback(self.valkey.aclose)
            await self.valkey.start()
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
        """Return the first traceback in each node's log, by the node's name."""
        found = {}
        for slot in self.slots:
            text = slot.process.log_path.read_text(errors="replace")
            _, mark, rest = text.partition("Traceback (most recent call last)")
            if mark:
                found[slot.name] = mark + rest[:3000]
        return found


def _variables(folder: Path) -> dict[str, str]:
    """Return the environment of a node: nothing of the user's own settings."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CHATROOM_")
    }
    data = {"CHATROOM_DATA_DIR": str(folder), "PYTHONUNBUFFERED": "1"}
    return {**inherited, **NODE_SETTINGS, **data}
