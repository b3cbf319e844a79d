"""A Redis Cluster of three primaries with a replica each, made to be struck."""

import asyncio
import time
from asyncio import open_connection
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Self

from realtime.errors import StartError
from realtime.redis.cluster.slots import SLOTS
from realtime.tasks import end_task
from verify.harness.cluster_servers import (
    HOST,
    SHARDS,
    ClusterServers,
    Server,
    server_binary,
)
from verify.harness.proxy import FaultProxy

# A planned failover that has not happened by then was given up by the replica, and has
# to be asked for again; and how often it is.
HANDOVER_SECONDS = 6.0
HANDOVER_TRIES = 5

# Between two looks who the primaries are.
WATCH_SECONDS = 0.25

# Keys that a step of a slot's move takes, and the deadline of a step in ms.
MOVED_KEYS = 100
MOVE_MS = 5_000


class RedisCluster(ClusterServers):
    """Servers that are killed, stopped, cut off, replaced, and hand slots on.

    Attributes:
        changes: When another server was seen to be the primary of a shard, asked for or
            not; only where servers can be cut off from each other.
        turn: Held by the one fault at a time that strikes the cluster.
    """

    def __init__(self, kind: str, folder: Path) -> None:
        super().__init__(kind, folder)
        self.changes: list[float] = []
        self.turn = asyncio.Lock()
        # Servers that are cut off; and the addresses that servers connect from.
        self._cut: set[int] = set()
        self._sources: dict[str, int] = {}
        # By port: to the server itself, and to its bus.
        self._lines: dict[int, tuple[FaultProxy, FaultProxy]] = {}

    @classmethod
    @asynccontextmanager
    async def start(
        cls, kind: str, folder: Path, *, apart: bool = False
    ) -> AsyncIterator[Self]:
        """Run one until the block ends; it begins when the cluster is whole.

        Args:
            kind: ``valkey``, the bundled one, or ``redis``, that of the machine.
            folder: An empty one; its path must be short.
            apart: Whether servers can be cut off from each other. What they say to each
                other then passes through this process, and so do clients that go where
                the servers announce to be; needs all addresses of 127.0.0.0/8.

        Raises:
            StartError: There is no such server, or the cluster is not whole in time.
        """
        cluster, binary = cls(kind, folder), server_binary(kind)
        async with AsyncExitStack() as stack:
            for number, port in enumerate(cluster.ports, 1):
                bus, more = cluster.buses[port], {}
                if apart:
                    more = await cluster._open_lines(stack, number, port, bus)
                server = Server(binary, folder / str(number), port, bus, more)
                cluster.processes[port] = server
                stack.callback(server.close)
                server.start()
            for server in cluster.processes.values():
                await server.ready()
            await cluster._join()
            if apart:
                watch = asyncio.create_task(cluster._watch(), name="primaries-watch")
                stack.push_async_callback(end_task, watch)
            yield cluster

    async def flush(self) -> None:
        """Have all run, and remove all data and scripts."""
        for server in self.processes.values():
            server.resume()
            if not server.running:
                server.start()
        await self.whole()
        for port in await self.primaries():
            await self.ask(port, "FLUSHALL")
        for port in self.ports:
            await self.ask(port, "SCRIPT", "FLUSH")

    async def reshard(
        self, slots: Iterable[int], to: int, how: str = "atomic", seconds: float = 0.0
    ) -> None:
        """Move slots to a shard; returns when all primaries know of it.

        Args:
            slots: Which ones; those that are there already stay.
            to: The shard.
            how: ``atomic`` (Valkey only) or ``legacy``: key by key.
            seconds: How long a legacy move takes at least, with half of each slot's
                keys moved.

        Raises:
            StartError: It does not end in time.
            RedisError, OSError: A server refuses, or does not answer.
        """
        slots, target = [*slots], await self.primary(to)
        moved: list[int] = []
        for source in set(await self.primaries()) - {target}:
            owner = await self.myself(source)
            own = [slot for slot in slots if owner.owns(slot)]
            moved += own
            if how == "legacy":
                await self._move_by_keys(own, source, target, seconds)
                continue
            if own:
                bounds = [bound for slot in own for bound in (slot, slot)]
                move = ("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE")
                await self.ask(source, *move, *bounds, "NODE", await self._id(target))

        async def is_known() -> bool:
            views = [await self.view(port) for port in await self.primaries()]
            owners = [[e for e in v if e.port == self.announced[target]] for v in views]
            return all(owner.owns(slot) for (owner,) in owners for slot in moved)

        await self.until(is_known, "slots have not moved")

    async def failover(self, shard: int) -> float:
        """Hand a shard over to its replica, as for maintenance; return when it was.

        Raises:
            StartError: The replica does not take it in time.
            RedisError, OSError: A server refuses, or does not answer.
        """
        former, replica = await self.primary(shard), await self.replica(shard)

        async def has_taken() -> bool:
            return bool(await self.epoch_as_primary(replica))

        for tries_left in reversed(range(HANDOVER_TRIES)):
            await self.ask(replica, "CLUSTER", "FAILOVER")
            try:
                await self.until(has_taken, "no handover", HANDOVER_SECONDS)
                break
            except StartError:
                if not tries_left:
                    raise
        at = time.monotonic()
        await self.demoted(former)
        return at

    async def kill(self, shard: int) -> int:
        """SIGKILL to a shard's primary; return its port, to start it again."""
        port = await self.primary(shard)
        self.processes[port].kill()
        return port

    async def pause(self, shard: int) -> int:
        """SIGSTOP to a shard's primary; return its port, to resume it."""
        port = await self.primary(shard)
        self.processes[port].pause()
        return port

    async def cut_off(self, shard: int) -> int:
        """Cut a shard's primary off from all servers, not from clients; return it.

        Needs a cluster that was started ``apart``.
        """
        port = await self.primary(shard)
        self._cut.add(port)
        for line in (self._lines[port][0], *(bus for _, bus in self._lines.values())):
            line.reset()
        return port

    async def fenced(self, port: int) -> float:
        """Wait until a server that is cut off takes no more; return when it was seen.

        That is when it knows that it is alone: after the time of silence.
        """

        async def is_fenced() -> bool:
            return b"cluster_state:fail" in await self.ask(port, "CLUSTER", "INFO")

        return await self.until(is_fenced, "who is cut off does not know it")

    def rejoin(self, port: int) -> None:
        """Let a server that was cut off reach the others again."""
        self._cut.discard(port)

    async def promoted(self, former: int) -> float:
        """Wait until a shard has another primary; return when it was seen."""
        shard = self.ports.index(former) % SHARDS

        async def another() -> bool:
            return await self.primary(shard) != former

        return await self.until(another, "no replica was promoted")

    async def demoted(self, former: int) -> float:
        """Wait until a former primary is a replica; return when it was seen."""

        async def is_replica() -> bool:
            return not (await self.myself(former)).is_primary

        return await self.until(is_replica, "the former primary is no replica")

    async def _join(self) -> None:
        """Make a cluster of servers that do not know each other yet."""
        for number, port in enumerate(self.ports):
            # One of its own each, so that they need not come to terms about it.
            await self.ask(port, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            if number < SHARDS:
                first, end = SLOTS * number // SHARDS, SLOTS * (number + 1) // SHARDS
                await self.ask(port, "CLUSTER", "ADDSLOTSRANGE", first, end - 1)
        for port in self.ports[1:]:
            place = (self.announced[port], self.announced_buses[port])
            await self.ask(self.ports[0], "CLUSTER", "MEET", HOST, *place)

        async def have_met() -> bool:
            views = [await self.view(port) for port in self.ports]
            known = [[e for e in view if not e.is_away] for view in views]
            return all(len(each) == len(self.ports) for each in known)

        await self.until(have_met, "the servers have not met")
        for shard in range(SHARDS):
            primary, replica = self.pair(shard)
            await self.ask(replica, "CLUSTER", "REPLICATE", await self._id(primary))
        await self.whole()

    async def _id(self, port: int) -> str:
        return (await self.myself(port)).id

    async def _move_by_keys(
        self, slots: Sequence[int], source: int, target: int, seconds: float
    ) -> None:
        """Move slots as it was done before there was a way to move them at once."""
        source_id, target_id = await self._id(source), await self._id(target)
        for slot in slots:
            change = ("CLUSTER", "SETSLOT", slot)
            await self.ask(target, *change, "IMPORTING", source_id)
            await self.ask(source, *change, "MIGRATING", target_id)
            count = await self.ask(source, "CLUSTER", "COUNTKEYSINSLOT", slot)
            await self._move_keys(slot, source, target, most=count // 2)
            await asyncio.sleep(seconds / len(slots))
            await self._move_keys(slot, source, target)
            others = [e for e in await self.primaries() if e not in (source, target)]
            # The target first: the source sends everybody there from then on.
            for port in (target, source, *others):
                await self.ask(port, *change, "NODE", target_id)

    async def _move_keys(
        self, slot: int, source: int, target: int, most: int = 10**9
    ) -> None:
        while most > 0:
            list_keys = ("CLUSTER", "GETKEYSINSLOT", slot, min(most, MOVED_KEYS))
            if not (keys := await self.ask(source, *list_keys)):
                return
            place = (HOST, target, "", 0, MOVE_MS)
            await self.ask(source, "MIGRATE", *place, "KEYS", *keys)
            most -= len(keys)

    async def _open_lines(
        self, stack: AsyncExitStack, number: int, port: int, bus: int
    ) -> dict[str, str]:
        """Open a server's lines; return the options that lead others to them."""
        source = f"127.0.1.{number}"
        self._sources[source] = port
        admits = partial(self._admits, port)
        to_server = FaultProxy(partial(open_connection, HOST, port), admits=admits)
        to_bus = FaultProxy(partial(open_connection, HOST, bus), admits=admits)
        self._lines[port] = (to_server, to_bus)
        for line in self._lines[port]:
            stack.push_async_callback(line.aclose)
        self.announced[port] = await to_server.listen_tcp()
        self.announced_buses[port] = await to_bus.listen_tcp()
        return {
            "bind-source-addr": source,
            "cluster-announce-ip": HOST,
            "cluster-announce-port": str(self.announced[port]),
            "cluster-announce-bus-port": str(self.announced_buses[port]),
        }

    def _admits(self, port: int, host: str) -> bool:
        """Tell whether who connects from an address reaches a server; clients do."""
        source = self._sources.get(host)
        return source is None or not self._cut & {source, port}

    async def _watch(self) -> None:
        """Note each change of a primary."""
        known = await self.primaries()
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if (found := await self.primaries()) != known:
                known = found
                self.changes.append(time.monotonic())
