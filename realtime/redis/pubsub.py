"""The Pub/Sub connection: batches, its own deadline, and word of every gap.

Redis Pub/Sub delivers at most once and says nothing about what was missed. This reader
therefore never hides a cut: its listener hears ``lost`` when the connection ends and
``ready`` when all channels are subscribed again, and whoever needs more than at most
once reads the log in between.
"""

import asyncio
import logging
from collections.abc import Collection, Hashable, Iterable
from typing import Any, Protocol

from realtime.errors import UnavailableError
from realtime.redis.channels import database_of, plain_name, wire_name
from realtime.redis.connection import ConnectionLostError, RedisConnection, pack
from realtime.redis.reconnect import Reconnector
from realtime.redis.silence import PING_SHARE, Silence
from realtime.redis.url import ConnectionFactory

_logger = logging.getLogger(__name__)

# Channel and payload of the publications that one read brought, in order.
Batch = list[tuple[bytes, bytes]]

# Channels in one SUBSCRIBE after a reconnect: some 30 KB a command.
CHANNELS_PER_COMMAND = 1000


class Listener(Protocol):
    """Whoever is told what a subscriber hears; nothing here may suspend."""

    def due(self) -> None:
        """A batch came that is handed over in the loop's next turn."""
        ...

    def receive(self, batch: Batch) -> None:
        """Take a batch."""
        ...

    def lost(self, channels: Collection[str] | None = None) -> None:
        """Publications of these channels may be missed from now on; None: of all."""
        ...

    def ready(self, channels: Collection[str] | None = None) -> None:
        """These channels are subscribed again; None: every channel is."""
        ...


class Subscriber:
    """Subscriptions over one connection that repairs itself.

    Args:
        factory: Makes the connections.
        connect_seconds: Deadline of connecting.
        silence_seconds: Silence, a ping's answer included, after which the connection
            is given up.
    """

    def __init__(
        self,
        factory: ConnectionFactory,
        *,
        connect_seconds: float,
        silence_seconds: float,
    ) -> None:
        self._listener: Listener | None = None
        self._batch: Batch = []
        self._database = database_of(factory)
        self._silence_seconds = silence_seconds
        self._connection: RedisConnection | None = None
        self._wanted: set[str] = set()
        self._asked: dict[bytes, int] = {}
        self._confirmations: dict[bytes, asyncio.Future[None]] = {}
        self._resubscribing = 0
        self._ready = False
        self._silence = Silence(silence_seconds)
        self._reconnector = Reconnector(
            "Redis Pub/Sub",
            factory,
            connect_seconds=connect_seconds,
            serve=self._serve,
            lost=self._lost,
        )

    @property
    def ready(self) -> bool:
        """Whether all channels are subscribed and Redis was heard in time."""
        return self._ready

    def is_heard(self, _channel: str) -> bool:
        """Whether all that is published on a subscribed channel arrives now."""
        return self._ready

    def wire_of(self, _channel: str) -> Hashable:
        """Return by which connection a channel is heard."""
        return None

    def shards(self) -> dict[str, bool]:
        """Return which shards of a cluster are heard; none: it is none."""
        return {}

    def held(self) -> dict[str, int]:
        """Return what is kept of channels, counted by kind."""
        return {
            "channels": len(self._wanted),
            "channels_asked": len(self._asked) + len(self._confirmations),
            "channel_batch": len(self._batch),
        }

    async def run(self, listener: Listener) -> None:
        """Keep a connection until cancelled, and tell a listener what is heard.

        Whoever waits for a confirmation then gets an error.
        """
        self._listener = listener
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._reconnector.run(), name="pubsub-connection")
                tasks.create_task(self._watch_silence(), name="pubsub-silence")
        finally:
            self._close()

    @property
    def _heard_by(self) -> Listener:
        if self._listener is None:
            raise RuntimeError("the subscriber does not run")
        return self._listener

    def _close(self) -> None:
        for waiting in self._confirmations.values():
            if not waiting.done():
                waiting.set_exception(UnavailableError("This node is shutting down."))
                waiting.exception()
        self._confirmations.clear()

    def subscribe(self, channel: str) -> asyncio.Future[None]:
        """Subscribe a channel; the future is done once Redis has confirmed it.

        Without a connection that is after the next one is made; the caller sets the
        deadline.
        """
        name = channel.encode()
        waiting = self._confirmations.get(name)
        if waiting is None or waiting.done():
            waiting = asyncio.get_running_loop().create_future()
            self._confirmations[name] = waiting
        if channel not in self._wanted:
            self._wanted.add(channel)
            self._send_subscribe([channel])
        elif self._connection is not None and name not in self._asked:
            # Confirmed long ago.
            waiting.set_result(None)
        return waiting

    def unsubscribe(self, channel: str) -> None:
        """Give a channel up; publications already under way may still come."""
        if channel not in self._wanted:
            return
        self._wanted.discard(channel)
        waiting = self._confirmations.pop(channel.encode(), None)
        if waiting is not None:
            waiting.cancel()
        if self._connection is not None:
            name = wire_name(channel, self._database)
            self._connection.write(pack("UNSUBSCRIBE", name))

    def reconnect(self, because: str, _wire: Hashable = None) -> None:
        """Make the connection anew: it lives, but what it brings is not enough.

        Args:
            because: Why, for the log.
            _wire: Which one of several, as :meth:`wire_of` names it.
        """
        if self._connection is not None:
            self._connection.abort(because)

    def _send_subscribe(self, channels: Iterable[str]) -> None:
        if self._connection is None:
            return
        channels = tuple(channels)
        for channel in channels:
            name = channel.encode()
            self._asked[name] = self._asked.get(name, 0) + 1
        names = [wire_name(channel, self._database) for channel in channels]
        self._connection.write(pack("SUBSCRIBE", *names))

    def _lost(self) -> None:
        self._connection = None
        self._ready = False
        self._asked.clear()
        self._heard_by.lost()

    async def _serve(self, connection: RedisConnection) -> None:
        self._connection = connection
        self._silence.begin(asyncio.get_running_loop().time())
        wanted = sorted(self._wanted)
        self._resubscribing = len(wanted)
        for start in range(0, len(wanted), CHANNELS_PER_COMMAND):
            self._send_subscribe(wanted[start : start + CHANNELS_PER_COMMAND])
        self._check_ready()
        await connection.serve(self.take)

    def take(self, replies: list[Any]) -> None:
        """Take what Redis has sent, decoded and in its order."""
        self._silence.heard_at = asyncio.get_running_loop().time()
        batch = [found for reply in replies if (found := self._sort(reply))]
        if batch:
            self._collect(batch)

    def _collect(self, batch: Batch) -> None:
        """Have publications handed over, with those that wait for that."""
        if not self._batch:
            # In the next turn: what wakes up in this one answers its client first, and
            # the answer can share the write with what the client is to hear.
            self._heard_by.due()
            asyncio.get_running_loop().call_soon(self._hand_over)
        self._batch += batch

    def _hand_over(self) -> None:
        batch, self._batch = self._batch, []
        try:
            self._heard_by.receive(batch)
        except Exception:
            # A defect of whoever takes the batches must not make the node deaf, and
            # what it did not take is found once the channels are subscribed again.
            _logger.exception("Redis Pub/Sub: a batch could not be taken")
            self._give_up("a batch could not be taken")

    def _give_up(self, because: str) -> None:
        """Make all connections anew."""
        self.reconnect(because)

    def _sort(self, reply: Any) -> tuple[bytes, bytes] | None:
        if isinstance(reply, Exception):
            # Not allowed to SUBSCRIBE, say: nothing works until that is mended.
            raise ConnectionLostError(str(reply))
        kind = reply[0]
        if kind == b"message":
            name = reply[1]
            if self._database:
                name = plain_name(name, self._database)
            return name, reply[2]
        if kind == b"subscribe":
            self._confirmed(plain_name(reply[1], self._database))
        return None

    def _confirmed(self, name: bytes) -> None:
        left = self._asked.get(name, 1) - 1
        if left:
            # Given up and wanted again in between: the later answer counts.
            self._asked[name] = left
        else:
            self._asked.pop(name, None)
            waiting = self._confirmations.pop(name, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(None)
        if not self._ready:
            self._resubscribing -= 1
            self._check_ready()

    def _check_ready(self) -> None:
        if self._resubscribing <= 0 and not self._ready:
            self._ready = True
            self._reconnector.mark_connected()
            _logger.info("Redis Pub/Sub: subscribed to %d channels", len(self._wanted))
            self._heard_by.ready()

    async def _watch_silence(self) -> None:
        """Ask for a sign of life in silence; give up when none comes."""
        pause = self._silence_seconds * PING_SHARE / 2
        while True:
            await asyncio.sleep(pause)
            if self._connection is not None:
                now = asyncio.get_running_loop().time()
                self._silence.check(self._connection, now)
