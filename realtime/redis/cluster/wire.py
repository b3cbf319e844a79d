"""One shard's Pub/Sub connection: which channels it has, and what it says of them.

Commands are answered in their order, but a shard also ends subscriptions unasked, when
a slot moves, and answers a command for a channel that is not its own with an error that
does not name it. So what was asked is kept in a row, and answers are matched with it.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Iterable
from typing import Any, Final, NamedTuple, Protocol

from realtime.redis.cluster.slots import slot_of
from realtime.redis.cluster.topology import Address
from realtime.redis.connection import (
    ConnectionLostError,
    RedisConnection,
    ReplyError,
    pack,
)
from realtime.redis.pubsub import Batch
from realtime.redis.reconnect import Reconnector
from realtime.redis.silence import Silence
from realtime.redis.url import ConnectionFactory

# Channels that are asked for in one write: one a command, for they are of many slots.
CHANNELS_PER_WRITE: Final = 500

# Errors of one channel; whatever else is refused, nothing works until it is mended.
OF_CHANNEL: Final = frozenset({"MOVED", "ASK", "CLUSTERDOWN", "TRYAGAIN", "CROSSSLOT"})


class News(NamedTuple):
    """What one read brought, but for publications: channels by what became of them.

    Attributes:
        heard: Subscribed now.
        dropped: Subscribed no more, unasked.
        moved: Redirects of what was asked: the channel and Redis's words.
        later: Refused for a while.
    """

    heard: list[bytes]
    dropped: list[bytes]
    moved: list[tuple[bytes, str]]
    later: list[bytes]


class WireOwner(Protocol):
    """Whoever has the wires; nothing here may suspend."""

    def took(self, wire: "ShardWire", batch: Batch, news: News) -> None:
        """Take what one read brought."""

    def wire_lost(self, wire: "ShardWire") -> None:
        """Take note that nothing of a wire's channels is heard."""

    def wire_ready(self, wire: "ShardWire") -> None:
        """Take note that all that a wire was to hear from its beginning is heard."""


class ShardWire:
    """A connection that repairs itself, and the channels that it is to hear.

    Args:
        address: The shard's primary.
        factory: Makes the connections.
        owner: Told what it brings.
        connect_seconds: Deadline of connecting.
        silence_seconds: As of :class:`~realtime.redis.pubsub.Subscriber`.

    Attributes:
        channels: What is to be heard; true: it is.
        is_ready: Whether it is connected and hears all from its beginning.
        strays: Errors that fit nothing that was asked.
    """

    def __init__(
        self,
        address: Address,
        factory: ConnectionFactory,
        owner: WireOwner,
        *,
        connect_seconds: float,
        silence_seconds: float,
    ) -> None:
        self.address = address
        self._owner = owner
        self._connection: RedisConnection | None = None
        self.channels: dict[bytes, bool] = {}
        # Whether it is a subscription, and of which channel; the oldest first.
        self._asked: deque[tuple[bool, bytes]] = deque()
        # Of a channel, how many subscriptions of it are among them.
        self._open: Counter[bytes] = Counter()
        self._left = 0
        self.is_ready = False
        self.strays = 0
        self._silence = Silence(silence_seconds)
        self._reconnector = Reconnector(
            f"Redis Pub/Sub at {address}",
            factory,
            connect_seconds=connect_seconds,
            serve=self._serve,
            lost=self._lost,
        )

    async def run(self) -> None:
        """Keep a connection until cancelled."""
        await self._reconnector.run()

    @property
    def asked(self) -> int:
        """How many commands are not answered yet."""
        return len(self._asked)

    def hear(self, names: Iterable[bytes]) -> None:
        """Subscribe channels, now or with the next connection."""
        names = [*names]
        for name in names:
            self.channels[name] = False
        connection = self._connection
        if connection is None:
            return
        for start in range(0, len(names), CHANNELS_PER_WRITE):
            together = names[start : start + CHANNELS_PER_WRITE]
            self._asked.extend((True, name) for name in together)
            self._open.update(together)
            connection.write(b"".join([pack("SSUBSCRIBE", name) for name in together]))

    def unhear(self, name: bytes) -> None:
        """Give a channel up."""
        if self.channels.pop(name, None) is not None and self._connection is not None:
            self._asked.append((False, name))
            self._connection.write(pack("SUNSUBSCRIBE", name))

    def abort(self, because: str) -> None:
        """Make the connection anew."""
        if self._connection is not None:
            self._connection.abort(because)

    def watch(self, now: float) -> None:
        """Ask for a sign of life in silence; give up when none comes."""
        if self._connection is not None:
            self._silence.check(self._connection, now)

    async def _serve(self, connection: RedisConnection) -> None:
        self._connection = connection
        self._silence.begin(asyncio.get_running_loop().time())
        self._left = len(self.channels)
        self.hear(sorted(self.channels))
        self._check_ready()
        await connection.serve(self._take)

    def _lost(self) -> None:
        self._connection = None
        self.is_ready = False
        self._asked.clear()
        self._open.clear()
        self._owner.wire_lost(self)
        self.channels = dict.fromkeys(self.channels, False)

    def _check_ready(self) -> None:
        if self._left <= 0 and not self.is_ready:
            self.is_ready = True
            self._reconnector.mark_connected()
            self._owner.wire_ready(self)

    def _take(self, replies: list[Any]) -> None:
        self._silence.heard_at = asyncio.get_running_loop().time()
        batch: Batch = []
        news = News([], [], [], [])
        for reply in replies:
            if isinstance(reply, ReplyError):
                self._refused(reply, news)
                continue
            kind = reply[0]
            if kind == b"smessage":
                batch.append((reply[1], reply[2]))
            elif kind == b"ssubscribe":
                self._subscribed(reply[1], news)
            elif kind == b"sunsubscribe":
                self._unsubscribed(reply[1], news)
        if batch or any(news):
            self._owner.took(self, batch, news)
        self._check_ready()

    def _subscribed(self, name: bytes, news: News) -> None:
        if not self._open[name]:
            return
        # What was asked before was answered before, whatever it was taken for.
        while True:
            is_subscription, answered = self._asked.popleft()
            if is_subscription:
                self._close_one(answered)
                if answered == name:
                    break
        if name in self.channels and not self._open[name]:
            self.channels[name] = True
            news.heard.append(name)

    def _close_one(self, name: bytes) -> None:
        self._left -= 1
        self._open[name] -= 1
        if self._open[name] <= 0:
            del self._open[name]

    def _unsubscribed(self, name: bytes, news: News) -> None:
        if self._asked and self._asked[0] == (False, name):
            self._asked.popleft()
        elif self.channels.get(name):
            self.channels[name] = False
            news.dropped.append(name)

    def _refused(self, reply: ReplyError, news: News) -> None:
        code = reply.code
        if code not in OF_CHANNEL:
            # Not allowed to SSUBSCRIBE, say: nothing works until that is mended.
            raise ConnectionLostError(str(reply))
        fits = bool(self._asked)
        if fits and code == "MOVED":
            fits = slot_of(self._asked[0][1]) == int(str(reply).split(" ")[1])
        if not fits:
            # To a SUNSUBSCRIBE of what had been ended unasked meanwhile.
            self.strays += 1
            return
        is_subscription, name = self._asked.popleft()
        if not is_subscription:
            return
        self._close_one(name)
        if name not in self.channels:
            return
        if code == "MOVED":
            news.moved.append((name, str(reply)))
        else:
            news.later.append(name)
