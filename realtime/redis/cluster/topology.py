"""Which node of a cluster has which slots, kept up to date.

Neither Redis nor Valkey tells of changes. The table is asked for when something points
to one, and every half minute; a redirect mends its one slot at once.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from realtime.redis.asking import answers
from realtime.redis.cluster.slots import SLOTS
from realtime.redis.url import ClusterUrl
from realtime.tasks import heed_cancellation

_logger = logging.getLogger(__name__)

# How often the table is asked for without a reason to.
REFRESH_SECONDS: Final = 30.0

# Least time between two looks, and what is added by chance: a fleet of nodes must not
# ask in one moment.
PAUSE_SECONDS: Final = 1.0
SPREAD_SECONDS: Final = 0.5

# Looks that follow one for a reason: after a failover the nodes learn of it from each
# other within a second or two.
FOLLOWING: Final = 3

# Nodes that are asked together: one of them may be behind, or cut off.
ASKED: Final = 3

# What a node that does not know its own address says of it.
UNKNOWN_HOSTS: Final = frozenset({"", "?"})


class Address(NamedTuple):
    """Where a node is."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Table(NamedTuple):
    """Slots by their primary, as one node sees them.

    Attributes:
        ranges: First and last slot of each range, and its primary.
        replicas: How many replicas a primary has.
        is_well: Whether the node is in touch with most of the primaries.
        epoch: Grows with each failover that the node heard of.
    """

    ranges: tuple[tuple[int, int, Address], ...]
    replicas: Mapping[Address, int]
    is_well: bool
    epoch: int

    @property
    def covered(self) -> int:
        """How many slots have a primary."""
        return sum(last - first + 1 for first, last, _ in self.ranges)


class Topology:
    """The slot table, for all connections of a process to one cluster.

    Args:
        url: Where it is.
        timeout_seconds: Deadline of asking one node.

    Attributes:
        owners: The primary of each slot; None: none is known.
    """

    def __init__(self, url: ClusterUrl, *, timeout_seconds: float) -> None:
        self._url = url
        self._timeout_seconds = timeout_seconds
        self._seeds = tuple(Address(*each) for each in url.seeds)
        self.owners: list[Address | None] = [None] * SLOTS
        self._counts: Counter[Address] = Counter()
        # What :meth:`slots_at` found in this very table.
        self._slots_at: dict[Address, tuple[int, ...]] = {}
        self._wanted = asyncio.Event()
        self._following = 0
        self._listeners: list[Callable[[int | None], None]] = []
        self._is_said = False

    @property
    def primaries(self) -> Mapping[Address, int]:
        """The primaries, and how many slots each has."""
        return self._counts

    def slots_at(self, address: Address) -> tuple[int, ...]:
        """Return some slots of a primary, the likeliest to stay first.

        Slots that move key by key do so one by one, from the lowest one on as a rule.
        """
        found = self._slots_at.get(address)
        if found is None:
            own = [slot for slot, each in enumerate(self.owners) if each == address]
            some = (own[-1], own[len(own) // 2], own[0]) if own else (0,)
            found = self._slots_at[address] = some
        return found

    def tell(self, listener: Callable[[int | None], None]) -> None:
        """Call somebody, without suspending, after each change of the table.

        Args:
            listener: Given the slot that has moved; None: there is another table.
        """
        self._listeners.append(listener)

    def moved(self, slot: int, address: Address) -> None:
        """Take a redirect's word for one slot, and look at the whole table soon."""
        before = self.owners[slot]
        if before != address:
            self.owners[slot] = address
            if before is not None:
                self._counts[before] -= 1
            self._counts[address] += 1
            self._counts += Counter()
            self._tell_all(slot)
        self.refresh_soon()

    def refresh_soon(self) -> None:
        """Look at the table soon, and a few times more: something has changed."""
        self._following = FOLLOWING
        self._wanted.set()

    def parse_redirect(self, text: str, asked: Address) -> tuple[int, Address]:
        """Return slot and address of ``MOVED 593 host:port``, or of ``ASK``.

        Raises:
            ValueError: It is none.
        """
        _, slot, place = text.split(" ")[:3]
        host, _, port = place.rpartition(":")
        return int(slot), self._reached(host.strip("[]"), int(port), asked)

    def _reached(self, host: str, port: int, asked: Address) -> Address:
        """Return how a node that announces an address is reached."""
        host = asked.host if host in UNKNOWN_HOSTS else host
        return Address(*self._url.address_map.get((host, port), (host, port)))

    async def run(self) -> None:
        """Keep the table until cancelled."""
        while True:
            pause = PAUSE_SECONDS + random.random() * SPREAD_SECONDS  # noqa: S311
            self._wanted.clear()
            await self.refresh()
            if self._following or not self._counts:
                self._following = max(0, self._following - 1)
                await asyncio.sleep(pause)
                continue
            try:
                async with asyncio.timeout(REFRESH_SECONDS):
                    await self._wanted.wait()
            except TimeoutError:
                continue

    async def refresh(self) -> None:
        """Ask some nodes for the table, and take what most of them say."""
        tables = await self.ask()
        if not tables:
            if not self._is_said:
                _logger.warning("No node of the Redis cluster tells of its slots")
            self._is_said = True
            return
        if self._is_said:
            _logger.info("The Redis cluster tells of its slots again")
            self._is_said = False
        table = best_of(tables)
        owners: list[Address | None] = [None] * SLOTS
        for first, last, address in table.ranges:
            owners[first : last + 1] = [address] * (last - first + 1)
        if owners != self.owners:
            self.owners = owners
            self._counts = Counter(each for each in owners if each is not None)
            self._tell_all(None)

    def _tell_all(self, slot: int | None) -> None:
        self._slots_at.clear()
        for listener in self._listeners:
            listener(slot)

    def connection(self, address: Address) -> AbstractConnection:
        """Return a connection to a node, which is not connected yet."""
        return self._url.connection(*address)

    async def ask(self, at_most: int = ASKED) -> list[Table]:
        """Return what some nodes say; none: nobody answers in time."""
        asking = (self._ask(each) for each in self._chosen(at_most))
        return await answers(asking, "redis-slots")

    def _chosen(self, at_most: int) -> Sequence[Address]:
        """Return whom to ask: primaries, and the address's own, for all may be new."""
        known = [each for each in self._counts if each not in self._seeds]
        seeds = [*self._seeds]
        random.shuffle(known)
        random.shuffle(seeds)
        mixed = [each for pair in zip(seeds, known, strict=False) for each in pair]
        return [*dict.fromkeys((*mixed, *seeds, *known))][:at_most]

    async def _ask(self, address: Address) -> Table | None:
        connection = self.connection(address)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await connection.connect()
                heed_cancellation()
                await connection.send_command("CLUSTER", "SLOTS")
                said = await connection.read_response()
                await connection.send_command("CLUSTER", "INFO")
                info = await connection.read_response()
        except (RedisError, OSError, TimeoutError) as error:
            heed_cancellation()
            _logger.debug("The slots at %s: %s", address, error)
            return None
        finally:
            await connection.disconnect(nowait=True)
        return self._table(said, info, address)

    def _table(self, said: Any, info: bytes, asked: Address) -> Table:
        ranges: list[tuple[int, int, Address]] = []
        replicas: dict[Address, int] = {}
        for first, last, primary, *others in said:
            host = primary[0].decode() if primary[0] else ""
            address = self._reached(host, primary[1], asked)
            ranges.append((first, last, address))
            replicas[address] = len(others)
        about = dict(line.split(":", 1) for line in info.decode().splitlines())
        return Table(
            tuple(sorted(ranges)),
            replicas,
            is_well=about["cluster_state"] == "ok",
            epoch=int(about["cluster_current_epoch"]),
        )


def best_of(tables: Sequence[Table]) -> Table:
    """Return what most nodes say; of two that differ, the one that knows more."""
    agreed = Counter(table.ranges for table in tables)

    def weight(table: Table) -> tuple[int, bool, int, int]:
        return agreed[table.ranges], table.is_well, table.epoch, table.covered

    return max(tables, key=weight)
