"""The servers of a Redis Cluster, and what they say of it."""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import redis.asyncio as aioredis
from redis.asyncio.cluster import ClusterNode as SeedNode
from redis.exceptions import RedisError

from realtime.errors import StartError
from realtime.redis.valkey_process import valkey_binary
from verify.harness.cluster_view import ClusterNode, parse_nodes, slot_of_room
from verify.harness.process import until
from verify.harness.sentinel import ADMIN_SECONDS, async_client
from verify.harness.valkey import LAZY, Valkey, free_ports

SHARDS = 3
HOST = "127.0.0.1"

# Silence after which servers hold another one to be down, in ms. A failover takes that
# and up to a second.
NODE_TIMEOUT_MS = 1_500

# Deadline until all is in its place: a replica that comes back copies everything.
WHOLE_SECONDS = 30.0

# Deadline of a question about the cluster: the server may be stopped.
ASK_SECONDS = 0.5

# Between two looks at all servers, each some twenty questions.
LOOK_SECONDS = 0.05

# Options of each server. A shard that is away must leave the others at work; a replica
# stays with its shard and may always take its primary's place.
CLUSTER_OPTIONS = {
    "cluster-enabled": "yes",
    "cluster-config-file": "nodes.conf",
    "cluster-node-timeout": str(NODE_TIMEOUT_MS),
    "cluster-require-full-coverage": "no",
    "cluster-allow-replica-migration": "no",
    "cluster-replica-validity-factor": "0",
    "repl-diskless-sync-delay": "0",
    # A replica is told of in CLUSTER SLOTS once its primary has sent it something.
    "repl-ping-replica-period": "1",
    "enable-debug-command": "yes",
}


class Server(Valkey):
    """One of the cluster; one that was there before goes on from its own notes.

    Args:
        binary: Of the server.
        folder: Made for it.
        port: Where it listens.
        bus: Where it listens to the other servers.
        more: Options besides :data:`CLUSTER_OPTIONS`.
    """

    def __init__(
        self, binary: str, folder: Path, port: int, bus: int, more: dict[str, str]
    ) -> None:
        folder.mkdir()
        options = {**CLUSTER_OPTIONS, "cluster-port": str(bus), **more}
        words = [word for name in options for word in (f"--{name}", options[name])]
        super().__init__(folder, *LAZY, *words, port=port)
        self._binary = binary

    def command(self) -> list[str]:
        """Return its command line."""
        return [self._binary, *super().command()[1:]]


class ClusterServers:
    """Three shards, counted from 0: a primary and a replica each, in either order.

    Holds no connection, so that it serves one event loop after the other.

    Attributes:
        kind: ``valkey``, the bundled one, or ``redis``, that of the machine.
        folder: Of data, configuration and logs.
        ports: Where the servers listen; those of shard i are number i and i + 3.
        buses: Where they listen to each other, by port.
        announced: Where each says that clients and replicas reach it, by port.
        announced_buses: Where each says that the others reach it, by port.
        processes: The servers, by port.

    Args:
        kind: As above.
        folder: An empty one; its path must be short.
    """

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.folder = kind, folder
        found = free_ports(4 * SHARDS)
        self.ports, buses = found[: 2 * SHARDS], found[2 * SHARDS :]
        self.buses = dict(zip(self.ports, buses, strict=True))
        self.announced = {port: port for port in self.ports}
        self.announced_buses = {**self.buses}
        self.processes: dict[int, Server] = {}
        # As far as somebody knew last.
        self._primaries = self.ports[:SHARDS]

    @property
    def url(self) -> str:
        """The address that nodes use."""
        return cluster_url(self.announced.values())

    def client(
        self, made_as: type[aioredis.RedisCluster] = aioredis.RedisCluster, **more: Any
    ) -> aioredis.Redis:
        """Return a client that finds the shard of each key; the caller closes it.

        It offers what a client of one server does, for keys of one slot.

        Args:
            made_as: Its class.
            more: Options of that.
        """
        own = {announced: port for port, announced in self.announced.items()}
        made: Any = made_as(
            startup_nodes=[SeedNode(HOST, port) for port in self.ports],
            dynamic_startup_nodes=False,
            require_full_coverage=False,
            # It does without the lines between servers.
            address_remap=lambda place: (place[0], own.get(place[1], place[1])),
            socket_timeout=ADMIN_SECONDS,
            socket_connect_timeout=ADMIN_SECONDS,
            **more,
        )
        return cast("aioredis.Redis", made)

    async def ask(
        self, port: int, *command: str | int | bytes, seconds: float = ADMIN_SECONDS
    ) -> Any:
        """Return what a server answers, as it came.

        Raises:
            RedisError, OSError: It refuses, or does not answer in time.
        """
        async with async_client(f"redis://{HOST}:{port}", seconds) as client:
            return await client.execute_command(*command)

    async def view(self, port: int) -> list[ClusterNode]:
        """Return how a server sees the cluster; raises as :meth:`ask` does."""
        answer = await self.ask(port, "CLUSTER", "NODES", seconds=ASK_SECONDS)
        return parse_nodes(answer.decode())

    async def myself(self, port: int) -> ClusterNode:
        """Return how a server sees itself; raises as :meth:`ask` does."""
        return next(e for e in await self.view(port) if "myself" in e.flags)

    async def primaries(self) -> list[int]:
        """Return the port of each shard's primary; where none is, of the last one."""
        for shard in range(SHARDS):
            pair = self.pair(shard)
            epochs = await asyncio.gather(*map(self.epoch_as_primary, pair))
            if newest := max(epochs):
                self._primaries[shard] = pair[epochs.index(newest)]
        return [*self._primaries]

    async def primary(self, shard: int) -> int:
        """Return the port of a shard's primary; while there is none, of the last."""
        return (await self.primaries())[shard]

    async def replica(self, shard: int) -> int:
        """Return the port of a shard's other server."""
        return sum(self.pair(shard)) - await self.primary(shard)

    async def shard_of_slot(self, slot: int) -> int:
        """Return which shard owns a slot.

        Raises:
            StartError: None does.
            RedisError, OSError: A primary does not answer.
        """
        for shard, port in enumerate(await self.primaries()):
            if (await self.myself(port)).owns(slot):
                return shard
        raise StartError(f"no shard owns the slot {slot}")

    async def shard_of(self, room: str) -> int:
        """Return which shard a room is on; raises as :meth:`shard_of_slot` does."""
        return await self.shard_of_slot(slot_of_room(room))

    def pair(self, shard: int) -> tuple[int, int]:
        """Return the ports of a shard's servers."""
        return self.ports[shard], self.ports[shard + SHARDS]

    async def epoch_as_primary(self, port: int) -> int:
        """Return since which epoch a server holds itself to be a primary; 0: not so."""
        try:
            myself = await self.myself(port)
        except (RedisError, OSError):
            return 0
        return myself.epoch if myself.is_primary else 0

    async def whole(self) -> float:
        """Return when all saw all, each shard had its replica, and all agreed.

        Raises:
            StartError: That was not so in time.
        """

        async def is_whole() -> bool:
            views = [await self.view(port) for port in self.ports]
            known = [{e.port for e in view if not e.is_away} for view in views]
            if any(each != set(self.announced.values()) for each in known):
                return False
            owners = [{(e.port, e.slots) for e in v if e.is_primary} for v in views]
            if len(owners[0]) != SHARDS or any(each != owners[0] for each in owners):
                return False
            return all([await self._is_well(port) for port in self.ports])

        return await self.until(is_whole, "it is not whole")

    async def _is_well(self, port: int) -> bool:
        """Tell whether a server serves, names all, and follows its primary if any."""
        if b"cluster_state:ok" not in await self.ask(port, "CLUSTER", "INFO"):
            return False
        # Bounds, the primary, its replica.
        if any(len(each) < 4 for each in await self.ask(port, "CLUSTER", "SLOTS")):
            return False
        role = await self.ask(port, "ROLE")
        return bool(role[0] == b"master" or role[3] == b"connected")

    async def until(
        self,
        condition: Callable[[], Awaitable[bool]],
        why: str,
        seconds: float = WHOLE_SECONDS,
    ) -> float:
        """Return when it was so; who does not answer has nothing to say against it.

        Raises:
            StartError: It was not so in time.
        """

        async def holds() -> bool:
            try:
                return await condition()
            except (RedisError, OSError):
                # One is on its way up, or down.
                return False

        if not await until(holds, seconds, LOOK_SECONDS):
            raise StartError(f"The cluster: {why}.")
        return time.monotonic()


def cluster_url(
    ports: Iterable[int], instead_of: Mapping[int, int] | None = None
) -> str:
    """Return the address of a cluster with servers on these ports.

    Args:
        ports: Of the servers.
        instead_of: Where a server is reached, by the port that it announces.
    """
    pairs = (instead_of or {}).items()
    mapped = ",".join(f"{HOST}:{said}/{HOST}:{port}" for said, port in pairs)
    hosts = ",".join(f"{HOST}:{port}" for port in ports)
    return f"redis+cluster://{hosts}" + (f"?address_map={mapped}" if mapped else "")


def server_binary(kind: str) -> str:
    """Return the program of a kind of server.

    Raises:
        StartError: There is none on this machine.
    """
    if kind == "valkey":
        return str(valkey_binary())
    if found := shutil.which("redis-server"):
        return found
    raise StartError("There is no redis-server on this machine.")
