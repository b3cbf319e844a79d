"""The commands' connection to one shard; what it cannot carry out it gives back."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from realtime.redis.client import RECONNECT_ON, SLOW_SECONDS
from realtime.redis.cluster.calls import SlotCall
from realtime.redis.cluster.slots import slot_of, tag_of
from realtime.redis.cluster.topology import Address
from realtime.redis.command import PendingCommand
from realtime.redis.connection import (
    Argument,
    ConnectionLostError,
    RedisConnection,
    ReplyError,
    pack,
)
from realtime.redis.reconnect import Reconnector
from realtime.redis.script import Script
from realtime.redis.url import ConnectionFactory

# Takes a call of a slot and its reply, which may be an error.
Take = Callable[["ShardLink", SlotCall, Any], None]


class ShardLink:
    """A connection to a primary that repairs itself; calls are answered in order.

    Args:
        address: The primary.
        factory: Makes the connections.
        timeout_seconds: Deadline of a call.
        scripts: Loaded over each connection before it is up.
        take: Given the replies to calls of slots.
        lost: Given, in their order, the calls that a cut left without an answer.
        up: Told that the connection serves.
        number: Returns the next number of a connection of the client.
        slots_at: Returns some slots of the primary.

    Attributes:
        is_up: Whether there is a connection now, and it serves.
        generation: The number of the connection; 0: there was none yet.
    """

    def __init__(
        self,
        address: Address,
        factory: ConnectionFactory,
        *,
        timeout_seconds: float,
        scripts: Sequence[Script],
        take: Take,
        lost: Callable[["ShardLink", Iterable[SlotCall]], None],
        up: Callable[["ShardLink"], None],
        number: Callable[[], int],
        slots_at: Callable[[Address], tuple[int, ...]],
    ) -> None:
        self.address = address
        self._timeout_seconds = timeout_seconds
        self._scripts = tuple(scripts)
        self._take, self._give_back, self._up = take, lost, up
        self._number, self._slots_at = number, slots_at
        self._connection: RedisConnection | None = None
        self._in_flight: deque[PendingCommand] = deque()
        self._batch: list[PendingCommand] = []
        self._loading = 0
        self.is_up = False
        self.generation = 0
        self._reconnector = Reconnector(
            f"Redis commands at {address}",
            factory,
            connect_seconds=timeout_seconds,
            serve=self._serve,
            lost=self._lost,
        )

    async def run(self) -> None:
        """Keep a connection until cancelled; calls are given back as after a cut."""
        await self._reconnector.run()

    @property
    def under_way(self) -> int:
        """Calls that wait for their answer."""
        return len(self._in_flight) + len(self._batch)

    @property
    def healthy(self) -> bool:
        """Whether it is up and owes no answer for more than a second."""
        if not self.is_up or not self._in_flight:
            return self.is_up
        sent_at = self._in_flight[0].deadline - self._timeout_seconds
        return asyncio.get_running_loop().time() - sent_at < SLOW_SECONDS

    def send(self, *calls: PendingCommand) -> None:
        """Send calls, behind those that were sent before; it must be up."""
        is_idle = not self._in_flight
        for call in calls:
            call.written = True
        if not self._batch:
            if is_idle and self._connection is not None:
                # Redis is idle: waiting for company would cost a turn of the loop.
                self._in_flight.extend(calls)
                self._connection.write(b"".join([call.packed for call in calls]))
                return
            asyncio.get_running_loop().call_soon(self._flush)
        self._batch += calls

    def call(self, *command: Argument, resend: bool = False) -> asyncio.Future[Any]:
        """Carry a command out at this very node, of no slot and never sent again.

        Raises:
            UnavailableError: There is no connection now.
            OutcomeUnknownError: It was cut before the answer.
            ReplyError: Redis refused it.
        """
        del resend
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout_seconds
        call = PendingCommand(pack(*command), deadline, False, loop.create_future())
        if self.is_up:
            self.send(call)
        else:
            call.give_up()
        return call.reply

    def keys_here(self, name: str) -> list[str]:
        """Return keys with this in their names, each of a slot that the shard has."""
        slots = self._slots_at(self.address)
        return [f"{name}:{{{tag_of(slot)}}}" for slot in slots]

    def watch(self, now: float) -> None:
        """Give the connection up if an answer is overdue."""
        late = self._in_flight and self._in_flight[0].deadline < now
        if late and self._connection is not None:
            self._connection.abort("no answer in time")

    def _flush(self) -> None:
        batch, self._batch = self._batch, []
        if self._connection is not None and batch:
            self._in_flight.extend(batch)
            self._connection.write(b"".join([call.packed for call in batch]))

    async def _serve(self, connection: RedisConnection) -> None:
        self._connection = connection
        self.generation = self._number()
        self._loading = len(self._scripts) + 1
        deadline = asyncio.get_running_loop().time() + self._timeout_seconds
        loads = [("SCRIPT", "LOAD", script.source) for script in self._scripts]
        for command in (*loads, ("PING",)):
            reply = asyncio.get_running_loop().create_future()
            call = PendingCommand(pack(*command), deadline, False, reply)
            reply.add_done_callback(self._loaded)
            self._in_flight.append(call)
            connection.write(call.packed)
        await connection.serve(self._settle_all)

    def _loaded(self, reply: "asyncio.Future[Any]") -> None:
        """Take note of an answer to what is sent first; it may be refused."""
        if not reply.cancelled():
            reply.exception()
        self._loading -= 1
        if not self._loading and self._connection is not None:
            self.is_up = True
            self._reconnector.mark_connected()
            self._up(self)

    def _settle_all(self, replies: list[Any]) -> None:
        for reply in replies:
            call = self._in_flight.popleft()
            if isinstance(call, SlotCall):
                self._take(self, call, reply)
            elif not isinstance(reply, ReplyError):
                call.resolve(reply)
            elif reply.code in RECONNECT_ON and not self.is_up:
                call.give_up()
                raise ConnectionLostError(f"Redis does not serve as a primary: {reply}")
            else:
                call.reject(reply)

    def _lost(self) -> None:
        self._connection = None
        self.is_up = False
        calls = [*self._in_flight, *self._batch]
        self._in_flight.clear()
        self._batch.clear()
        for call in calls:
            if not isinstance(call, SlotCall):
                call.give_up()
        self._give_back(self, [call for call in calls if isinstance(call, SlotCall)])


def slot_of_key(key: Argument) -> int:
    """Return the slot of a key as commands have it."""
    return slot_of(key if isinstance(key, bytes) else str(key).encode())
