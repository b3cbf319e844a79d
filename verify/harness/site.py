"""Where a run takes place: nodes behind lines that can be spoilt, and their Redis."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aiohttp import TCPConnector
from redis.asyncio import Redis

from verify.harness.nodes import NodeProcess
from verify.harness.proxy import FaultProxy, Streams
from verify.harness.receiver import HookReceiver
from verify.harness.redis_cluster import RedisCluster
from verify.harness.sentinel import SentinelGroup
from verify.harness.valkey import Valkey


@dataclass(slots=True)
class Place:
    """A node as clients and faults see it.

    Attributes:
        name: For reports.
        client_line: Between clients and the node.
        url: Where clients connect, whatever the node's port.
        redis_lines: Between the node and its Redis; none of the user's own nodes.
        process: The node; None: one of the user's own.
        turn: Held by the fault that strikes the process, until it serves again: on a
            busy machine that may be when the next one is due.
    """

    name: str
    client_line: FaultProxy
    url: str = ""
    redis_lines: Sequence[FaultProxy] = ()
    process: NodeProcess | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Nodes started for a run, or the user's own.

    Attributes:
        places: The nodes.
        redis: Returns where the rooms are kept; None if only the nodes can be asked.
        durability: What their acks tell; None if that is not known.
        valkey: The one Valkey of nodes that were started for the run.
        group: What stands in its place where Sentinels watch over several.
        cluster: What stands in its place where rooms are spread over shards.
        receiver: The application that the nodes tell what happens, if there is one.
        is_lazy: Whether a Redis that is killed may come back without its last seconds.
        connector: Makes what clients' connections go through; the usual one if None.
    """

    places: Sequence[Place]
    redis: Callable[[], Redis | None]
    durability: str | None = None
    valkey: Valkey | None = None
    group: SentinelGroup | None = None
    cluster: RedisCluster | None = None
    receiver: HookReceiver | None = None
    is_lazy: bool = False
    connector: Callable[[], TCPConnector] | None = None

    def switchboard(self, seed: int) -> FaultProxy:
        """Return a line that leads to another node by chance with each connection.

        For clients that know one address only. Behind it are the nodes' own client
        lines, so that faults reach these clients as well.
        """
        rng = random.Random(f"switchboard {seed}")  # noqa: S311 - repeatable
        ports = [urlsplit(place.url).port for place in self.places]

        async def connect() -> Streams:
            return await asyncio.open_connection("127.0.0.1", rng.choice(ports))

        return FaultProxy(connect)
