"""A Pub/Sub connection of a shard keeps count of what it was answered.

A shard ends subscriptions unasked and answers what it was asked too late with errors
that name no channel. A script in the place of a shard says so in the order that hurts.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import hiredis
import pytest
from redis.asyncio.connection import Connection

from realtime.redis.cluster.slots import slot_of
from realtime.redis.cluster.topology import Address
from realtime.redis.cluster.wire import News, ShardWire
from realtime.redis.pubsub import Batch
from tests.kit.running import running
from tests.kit.waiting import MS, wait_until

A, B, C = b"chatroom-a", b"chatroom-b", b"chatroom-c"
MOVED_A = b"-MOVED %d 127.0.0.1:1\r\n" % slot_of(A)


class Shard:
    """Stands for a server: keeps what it is asked, and says what the test wants."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, bytes]] = []
        self.connections = 0
        self._writer: asyncio.StreamWriter | None = None

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer a handshake, and note the rest."""
        self.connections += 1
        self._writer = writer
        parser = hiredis.Reader()
        while data := await reader.read(1 << 16):
            parser.feed(data)
            while command := parser.gets():
                if command[0].endswith(b"SUBSCRIBE"):
                    self.asked.append((command[0], command[1]))
                else:
                    writer.write(b"+OK\r\n")
        writer.close()

    def say(self, *said: bytes) -> None:
        """Send what a server would."""
        assert self._writer is not None
        self._writer.write(b"".join(said))


class Owner:
    """Notes what a wire tells."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.dropped: list[bytes] = []
        self.moved: list[bytes] = []

    def took(self, _wire: ShardWire, _batch: Batch, news: News) -> None:
        """Take what one read brought."""
        self.heard += news.heard
        self.dropped += news.dropped
        self.moved += [name for name, _ in news.moved]

    def wire_lost(self, _wire: ShardWire) -> None:
        """Do nothing."""

    def wire_ready(self, _wire: ShardWire) -> None:
        """Do nothing."""


def push(kind: bytes, name: bytes) -> bytes:
    """Return what a server says of a channel."""
    return b"*3\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n:1\r\n" % (
        *(len(kind), kind),
        *(len(name), name),
    )


def subscribed(name: bytes) -> bytes:
    """Return the confirmation of a subscription."""
    return push(b"ssubscribe", name)


def ended(name: bytes) -> bytes:
    """Return the word that a subscription has ended, asked for or not."""
    return push(b"sunsubscribe", name)


@asynccontextmanager
async def scripted() -> AsyncIterator[tuple[Shard, ShardWire, Owner]]:
    """Return a wire that hears A and B of a shard that does what the test says."""
    shard, owner = Shard(), Owner()
    server = await asyncio.start_server(shard.serve, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    wire = ShardWire(
        Address("127.0.0.1", port),
        lambda: Connection(host="127.0.0.1", port=port, protocol=2),
        owner,
        connect_seconds=5_000 * MS,
        silence_seconds=5_000 * MS,
    )
    wire.hear([A, B])
    async with server, running(wire.run()):
        await wait_until(lambda: len(shard.asked) == 2, "both are asked for")
        shard.say(subscribed(A), subscribed(B))
        await wait_until(lambda: owner.heard == [A, B], "both are heard")
        yield shard, wire, owner


Script = Callable[[Shard, ShardWire], None]


def given_up_while_it_moved(shard: Shard, wire: ShardWire) -> None:
    """The word of its end crosses SUNSUBSCRIBE, which is answered by MOVED then."""
    wire.unhear(A)
    shard.say(ended(A), MOVED_A)
    wire.hear([C])


def moved_behind_another_one(shard: Shard, wire: ShardWire) -> None:
    """The same with a subscription asked for before the error comes."""
    wire.unhear(A)
    wire.hear([C])
    shard.say(ended(A), MOVED_A)


@pytest.mark.parametrize("script", [given_up_while_it_moved, moved_behind_another_one])
async def test_an_error_that_fits_nothing_ends_nothing(script: Script) -> None:
    """Thousands of other channels live on, and each answer is for whom it is."""
    async with scripted() as (shard, wire, owner):
        script(shard, wire)
        await wait_until(lambda: wire.strays == 1, "the error is counted")
        await wait_until(lambda: shard.asked[-1][1] == C, "the next one is asked for")
        shard.say(subscribed(C))
        await wait_until(lambda: owner.heard == [A, B, C], "it is heard")
        assert wire.channels == {B: True, C: True}
        assert (owner.dropped, owner.moved, wire.asked) == ([], [], 0)
        assert shard.connections == 1


async def test_an_end_that_nobody_asked_for_is_told() -> None:
    """And the channel is asked for again, whose shard says where it is now."""
    async with scripted() as (shard, wire, owner):
        shard.say(ended(A))
        await wait_until(lambda: owner.dropped == [A], "it is told")
        assert wire.channels == {A: False, B: True}
        wire.hear([A])
        await wait_until(lambda: len(shard.asked) == 3, "it is asked for again")
        shard.say(MOVED_A)
        await wait_until(lambda: owner.moved == [A], "the redirect is told")
        assert (wire.strays, shard.connections) == (0, 1)
