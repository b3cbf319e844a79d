"""Sharded Pub/Sub: a connection a shard, and each channel at the shard of its slot.

A slot that moves takes its channels along; the shard ends their subscriptions unasked,
and what is published until they are subscribed at the other shard is missed. The
listener is told of each such gap, of the channels that it is of.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Hashable, Iterable
from typing import Final

from realtime.redis.cluster.slots import SLOTS, slot_of
from realtime.redis.cluster.topology import Address, Topology
from realtime.redis.cluster.wire import News, ShardWire
from realtime.redis.pubsub import Batch, Listener, Subscriber
from realtime.redis.silence import PING_SHARE

_logger = logging.getLogger(__name__)

# Pause before channels are subscribed again whose shard would not.
RETRY_SECONDS: Final = 0.1

# Redirects of one channel that are followed at once.
REDIRECTS: Final = 5


class ShardedSubscriber(Subscriber):
    """What :class:`Subscriber` promises, over a connection a shard.

    Args:
        topology: Which shard has which slots; kept by somebody else.
        connect_seconds: Deadline of connecting.
        silence_seconds: Silence, a ping's answer included, after which a connection is
            given up.
    """

    def __init__(
        self, topology: Topology, *, connect_seconds: float, silence_seconds: float
    ) -> None:
        # Past Subscriber's own constructor, which makes one connection.
        self._listener: Listener | None = None
        self._batch: Batch = []
        self._topology = topology
        self._connect_seconds = connect_seconds
        self._silence_seconds = silence_seconds
        self._wires: dict[Address, ShardWire] = {}
        self._tasks: dict[Address, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        # Each channel, and the wire that it is heard by; None: its shard is not known.
        self._homes: dict[bytes, ShardWire | None] = {}
        self._slots: dict[int, set[bytes]] = {}
        self._confirmations: dict[bytes, asyncio.Future[None]] = {}
        # What the listener was told is lost.
        self._told_lost: set[bytes] = set()
        self._later: set[bytes] = set()
        self._redirects: Counter[bytes] = Counter()

    # How it is.

    @property
    def ready(self) -> bool:
        """Whether the shards of most slots are heard."""
        primaries, wires = self._topology.primaries, self._wires
        heard = sum(
            slots
            for address, slots in primaries.items()
            if address in wires and wires[address].is_ready
        )
        return 2 * heard > SLOTS

    def shards(self) -> dict[str, bool]:
        """Return which shards are heard, by their address."""
        wires = self._wires
        return {
            str(each): each in wires and wires[each].is_ready
            for each in self._topology.primaries
        }

    def is_heard(self, channel: str) -> bool:
        """Whether all that is published on a subscribed channel arrives now."""
        name = channel.encode()
        wire = self._homes.get(name)
        return wire is not None and wire.channels.get(name, False)

    def wire_of(self, channel: str) -> Hashable:
        """Return by which connection a channel is heard."""
        wire = self._homes.get(channel.encode())
        return None if wire is None else wire.address

    def held(self) -> dict[str, int]:
        """Return what is kept of channels, counted by kind."""
        asked = sum(each.asked for each in self._wires.values())
        return {
            "channels": len(self._homes),
            "channels_asked": asked + len(self._confirmations),
            "channel_batch": len(self._batch),
        }

    # Life.

    async def run(self, listener: Listener) -> None:
        """Keep the connections until cancelled, and tell a listener what is heard."""
        self._listener = listener
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._topology.tell(self._table_changed)
                group.create_task(self._watch(), name="pubsub-silence")
                self._table_changed(None)
        finally:
            self._group = None
            self._close()

    async def _watch(self) -> None:
        pause = min(self._silence_seconds * PING_SHARE / 2, RETRY_SECONDS)
        while True:
            await asyncio.sleep(pause)
            now = asyncio.get_running_loop().time()
            for address, wire in [*self._wires.items()]:
                wire.watch(now)
                if address in self._topology.primaries:
                    continue
                if self._topology.primaries and not wire.channels:
                    del self._wires[address]
                    self._tasks.pop(address).cancel()
            later, self._later = self._later, set()
            self._place(name for name in later if name in self._homes)

    def _table_changed(self, slot: int | None) -> None:
        if self._group is None:
            return
        for address in self._topology.primaries:
            if address not in self._wires:
                wire = self._wires[address] = ShardWire(
                    address,
                    lambda address=address: self._topology.connection(address),  # type: ignore[misc]
                    self,
                    connect_seconds=self._connect_seconds,
                    silence_seconds=self._silence_seconds,
                )
                self._tasks[address] = self._group.create_task(
                    wire.run(), name=f"pubsub-{address}"
                )
        owners = self._topology.owners
        moved: list[bytes] = []
        for each in self._slots if slot is None else [slot]:
            names = self._slots.get(each, ())
            owner = owners[each]
            wire_now = None if owner is None else self._wires.get(owner)
            if wire_now is not None:
                moved += [name for name in names if self._homes[name] is not wire_now]
        self._move(moved)

    # Channels.

    def subscribe(self, channel: str) -> asyncio.Future[None]:
        """As :meth:`Subscriber.subscribe`."""
        name = channel.encode()
        waiting = self._confirmations.get(name)
        if waiting is None or waiting.done():
            waiting = asyncio.get_running_loop().create_future()
            self._confirmations[name] = waiting
        if name not in self._homes:
            self._homes[name] = None
            self._slots.setdefault(slot_of(name), set()).add(name)
            self._place([name])
        elif self.is_heard(channel):
            # Confirmed long ago.
            del self._confirmations[name]
            waiting.set_result(None)
        return waiting

    def unsubscribe(self, channel: str) -> None:
        """As :meth:`Subscriber.unsubscribe`."""
        name = channel.encode()
        if name not in self._homes:
            return
        wire = self._homes.pop(name)
        slot = slot_of(name)
        self._slots[slot].discard(name)
        if not self._slots[slot]:
            del self._slots[slot]
        self._told_lost.discard(name)
        self._later.discard(name)
        self._redirects.pop(name, None)
        waiting = self._confirmations.pop(name, None)
        if waiting is not None:
            waiting.cancel()
        if wire is not None:
            wire.unhear(name)

    def reconnect(self, because: str, wire: Hashable = None) -> None:
        """Make one connection anew, or all of them."""
        for address, each in self._wires.items():
            if wire in (None, address):
                each.abort(because)
        self._topology.refresh_soon()

    def _place(self, names: Iterable[bytes]) -> None:
        """Have channels heard at the shards that have their slots."""
        together: dict[ShardWire, list[bytes]] = {}
        owners = self._topology.owners
        for name in names:
            owner = owners[slot_of(name)]
            wire = None if owner is None else self._wires.get(owner)
            self._homes[name] = wire
            if wire is not None:
                together.setdefault(wire, []).append(name)
        for wire, placed in together.items():
            wire.hear(placed)

    def _move(self, names: list[bytes]) -> None:
        """Have channels heard at another shard; they are lost until then."""
        self._tell_lost(names)
        for name in names:
            before = self._homes[name]
            if before is not None:
                # The shard ends it by itself, with the slot.
                before.channels.pop(name, None)
        self._place(names)

    def _tell_lost(self, names: Iterable[bytes]) -> None:
        lost = [name for name in names if name not in self._told_lost]
        if lost:
            self._told_lost.update(lost)
            self._heard_by.lost([name.decode() for name in lost])

    # What the wires bring.

    def took(self, wire: ShardWire, batch: Batch, news: News) -> None:
        """Take what one read brought."""
        if batch:
            homes = self._homes
            # Not what a former shard brings besides: it would come twice.
            batch = [each for each in batch if homes.get(each[0]) is wire]
        if batch:
            self._collect(batch)
        if news.dropped:
            self._tell_lost(news.dropped)
            # The shard says where they are, if it is not there any more.
            wire.hear(news.dropped)
            self._topology.refresh_soon()
        for name, said in news.moved:
            self._redirected(wire, name, said)
        for name in news.later:
            self._put_off(wire, name)
        if news.heard:
            self._heard(wire, news.heard)

    def _redirected(self, wire: ShardWire, name: bytes, said: str) -> None:
        self._redirects[name] += 1
        if self._redirects[name] > REDIRECTS:
            self._put_off(wire, name)
        elif self._let_go(wire, name):
            # Moves it, unless the table has said so before.
            self._topology.moved(*self._topology.parse_redirect(said, wire.address))
            if self._homes.get(name) is None:
                self._move([name])

    def _put_off(self, wire: ShardWire, name: bytes) -> None:
        if self._let_go(wire, name):
            self._later.add(name)
            self._topology.refresh_soon()

    def _let_go(self, wire: ShardWire, name: bytes) -> bool:
        """Take a channel from a wire; false: it is another one's by now."""
        wire.channels.pop(name, None)
        if self._homes.get(name) is not wire:
            return False
        self._homes[name] = None
        return True

    def _heard(self, wire: ShardWire, names: list[bytes]) -> None:
        again: list[str] = []
        for name in names:
            self._redirects.pop(name, None)
            if self._homes.get(name) is not wire:
                continue
            waiting = self._confirmations.pop(name, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(None)
            if name in self._told_lost:
                self._told_lost.discard(name)
                again.append(name.decode())
        if again:
            self._heard_by.ready(again)

    def wire_lost(self, wire: ShardWire) -> None:
        """Take note that nothing of a wire's channels is heard."""
        self._topology.refresh_soon()
        if self._group is not None:
            self._tell_lost(
                name for name in wire.channels if self._homes.get(name) is wire
            )

    def wire_ready(self, wire: ShardWire) -> None:
        """Say once that a shard is heard."""
        _logger.info(
            "Redis Pub/Sub: subscribed to %d channels at %s",
            *(len(wire.channels), wire.address),
        )
