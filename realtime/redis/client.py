"""Commands to Redis: pipelined by themselves, resent after a cut, never silent.

All commands of one turn of the event loop travel in one write and their replies are
read in batches, so that a busy node pays microseconds a command. There is one
connection and one order: what is called first is carried out first, over cuts, restarts
and scripts that Redis has forgotten.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Protocol

from realtime.redis.channels import database_of, wire_name
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
from realtime.tasks import end_task, gather_started

_logger = logging.getLogger(__name__)

# How often deadlines are looked at; a deadline is late by this much at most.
WATCH_SECONDS = 0.25

# An answer that takes longer means that Redis does not serve.
SLOW_SECONDS = 1.0

# Errors by which Redis says that it did nothing and may do it later.
REFUSED = frozenset(
    {
        "BUSY",
        "CLUSTERDOWN",
        "MISCONF",
        "NOREPLICAS",
        "OOM",
        "TRYAGAIN",
    }
)

# When to try again then, in milliseconds: that takes a person, or Redis's own time.
REFUSED_RETRY_MS = 2_000

# Between two lines of the log on refused commands; a full Redis refuses each one.
REFUSALS_SECONDS = 60.0

# Errors by which Redis says that it is no primary any more, or none yet: a connection
# that began so would go on without what is sent at its beginning, the scripts.
RECONNECT_ON = frozenset({"LOADING", "MASTERDOWN", "READONLY"})


class RedisClient:
    """Commands over one connection that repairs itself.

    Args:
        factory: Makes the connections.
        timeout_seconds: Deadline of one call, waiting for a connection included.
        limit_calls: Most calls that may be under way; over it a call is refused with
            :class:`~realtime.errors.UnavailableError` at once.
        scripts: Loaded over each connection before anything else is sent.

    Attributes:
        database: Number of the database that is selected.
    """

    # What publishes, as scripts are told; a cluster's is SPUBLISH.
    publish_command = "PUBLISH"
    # Whether there are several shards, so that only calls of one key have an order.
    is_cluster = False

    def __init__(
        self,
        factory: ConnectionFactory,
        *,
        timeout_seconds: float,
        limit_calls: int,
        scripts: Sequence[Script] = (),
    ) -> None:
        self.database = database_of(factory)
        self._timeout_seconds = timeout_seconds
        self._limit_calls = limit_calls
        self._scripts = tuple(scripts)
        self._connection: RedisConnection | None = None
        self._waiting: deque[PendingCommand] = deque()
        self._in_flight: deque[PendingCommand] = deque()
        # In their order; all of them older than what is in flight.
        self._unloaded: list[PendingCommand] = []
        # Whether nothing is written until all that is in flight is answered.
        self._paused = False
        self._flush_planned = False
        self._running: asyncio.Task[None] | None = None
        self._closed = False
        self._refusals = Refusals()
        # Number of the connection: what was answered under another number was answered,
        # perhaps, by another server.
        self.generation = 0
        self._reconnector = Reconnector(
            "Redis commands",
            factory,
            connect_seconds=timeout_seconds,
            serve=self._serve,
            lost=self._lost,
        )

    @property
    def connected(self) -> bool:
        """Whether there is a connection now, and Redis serves over it."""
        return self._connection is not None and not self._paused

    @property
    def under_way(self) -> int:
        """Calls that wait for their answer."""
        return len(self._waiting) + len(self._in_flight) + len(self._unloaded)

    @property
    def healthy(self) -> bool:
        """Whether Redis is connected and owes no answer for more than a second."""
        if not self.connected:
            return False
        if not self._in_flight:
            return True
        sent_at = self._in_flight[0].deadline - self._timeout_seconds
        return asyncio.get_running_loop().time() - sent_at < SLOW_SECONDS

    def shards(self) -> dict[str, bool]:
        """Return which shards of a cluster serve, by address; none: it is none."""
        return {}

    def generation_of(self, _key: str) -> int:
        """Return the number of the connection that a key is reached by."""
        return self.generation

    async def run(self) -> None:
        """Keep a connection until cancelled; calls then fail as after a cut."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._reconnector.run(), name="redis-connection")
                tasks.create_task(self._watch_deadlines(), name="redis-deadlines")
        finally:
            self._close()

    def start(self) -> None:
        """Begin to connect, in a task that :meth:`aclose` ends."""
        if self._running is None:
            self._running = asyncio.create_task(self.run(), name="redis-client")

    async def aclose(self) -> None:
        """Close the connection; calls under way fail as after a cut."""
        await end_task(self._running)
        self._running = None
        self._close()

    def call(self, *command: Argument, resend: bool = True) -> asyncio.Future[Any]:
        """Carry out one command; the future holds its reply.

        Commands are carried out in the order of the calls, awaited or not.

        Args:
            command: The command's words.
            resend: Whether it may be sent again after a cut, when it is not known if
                it was carried out. All scripts and reads here allow that; a bare
                ``PUBLISH`` does not.

        Raises:
            UnavailableError: It was not carried out.
            OutcomeUnknownError: It may have been carried out.
            ReplyError: Redis refused it as wrong: a defect of the caller.
        """
        return self._enqueue(pack(*command), resend)

    def publish(self, channel: str, payload: bytes) -> asyncio.Future[Any]:
        """Publish, once at most; in order, and raising, as :meth:`call`."""
        name = wire_name(channel, self.database)
        return self.call(self.publish_command, name, payload, resend=False)

    def run_script(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument]
    ) -> Awaitable[Any]:
        """Run a script by its digest; in order, and raising, as :meth:`call`."""
        arguments = (len(keys), *keys, *args)
        return self._enqueue(
            pack("EVALSHA", script.digest, *arguments), True, script, arguments
        )

    async def run_script_at(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument]
    ) -> tuple[Any, Any]:
        """Run a script; return its reply, and what else is carried out there.

        That is a :class:`~realtime.redis.durability.Carrier`.
        """
        return await self.run_script(script, keys, args), self

    def keys_here(self, name: str) -> list[str]:
        """Return keys with this in their names at the server: the name."""
        return [name]

    async def servers(self) -> AsyncIterator[tuple[str, "Server"]]:
        """Yield all that keep data: of a cluster its primaries, with their addresses.

        What is called at one of them is carried out there, whatever its keys.
        """
        yield "", self

    async def in_turn(self, *begin: Callable[[], Awaitable[Any]]) -> list[Any]:
        """Make calls of several keys, each carried out after the ones before it.

        Args:
            begin: Each makes one, and returns its answer to come.
        """
        return await gather_started(*(each() for each in begin))

    async def scan(self, match: str, count: int) -> AsyncIterator[bytes]:
        """Yield the keys that match, of all servers; some perhaps twice.

        Of a cluster a slot that moves meanwhile is missed.

        Args:
            match: A pattern of Redis.
            count: How many keys are looked at in one go.
        """
        async for _address, server in self.servers():
            cursor = b"0"
            while True:
                cursor, found = await server.call(
                    "SCAN", cursor, "MATCH", match, "COUNT", count
                )
                for key in found:
                    yield key
                if cursor == b"0":
                    break

    def _enqueue(
        self,
        packed: bytes,
        resend: bool,
        script: Script | None = None,
        arguments: tuple[Argument, ...] = (),
    ) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout_seconds
        reply = loop.create_future()
        call = PendingCommand(packed, deadline, resend, reply, script, arguments)
        if self._closed:
            call.refuse("This node is shutting down.")
            return reply
        if self.under_way >= self._limit_calls:
            because = "This node has too many requests under way."
            call.refuse(because, limit="redis_calls")
            return reply
        self._waiting.append(call)
        if self._connection is not None and not self._flush_planned:
            if self._in_flight:
                self._flush_planned = True
                loop.call_soon(self._flush)
            else:
                # Redis is idle: waiting for company would cost a turn of the loop.
                self._flush()
        return reply

    def _flush(self) -> None:
        self._flush_planned = False
        if self._connection is None or self._paused or not self._waiting:
            return
        batch = list(self._waiting)
        self._waiting.clear()
        self._write(self._connection, batch)

    def _write(self, connection: RedisConnection, batch: list[PendingCommand]) -> None:
        for call in batch:
            call.written = True
        self._in_flight.extend(batch)
        connection.write(b"".join([call.packed for call in batch]))

    def _lost(self) -> None:
        self._connection = None
        self._paused = False
        self._recover_calls()

    async def _serve(self, connection: RedisConnection) -> None:
        self._connection = connection
        self.generation += 1
        # Calls wait until Redis has shown that it serves: one that is loading its data
        # must not make their outcomes doubtful.
        self._paused = True
        deadline = asyncio.get_running_loop().time() + self._timeout_seconds
        self._write(connection, self._script_loads(deadline))
        self._resume_when_answered()
        await connection.serve(self._settle_all)

    def _script_loads(self, deadline: float) -> list[PendingCommand]:
        """Return calls that load the scripts; one that is refused is sent when run."""
        loop = asyncio.get_running_loop()
        return [
            PendingCommand(
                pack("SCRIPT", "LOAD", script.source),
                deadline,
                False,
                loop.create_future(),
            )
            for script in self._scripts
        ]

    def _resume_when_answered(self) -> None:
        """After a pause, write again: nothing is on the way that could overtake."""
        if not self._paused or self._in_flight:
            return
        self._paused = False
        self._reconnector.mark_connected()
        if self._unloaded:
            loads = self._script_loads(self._unloaded[0].deadline)
            for call in self._unloaded:
                call.use_source()
            self._waiting.extendleft(reversed([*loads, *self._unloaded]))
            self._unloaded.clear()
        self._flush()

    async def _watch_deadlines(self) -> None:
        """Keep the deadlines: of waiting calls, and of Redis's answers."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            now = asyncio.get_running_loop().time()
            while self._waiting and self._waiting[0].deadline < now:
                self._waiting.popleft().give_up()
            late = self._in_flight and self._in_flight[0].deadline < now
            if late and self._connection is not None:
                self._connection.abort("no answer in time")

    def _settle_all(self, replies: list[Any]) -> None:
        for reply in replies:
            self._settle(reply)
        self._resume_when_answered()

    def _settle(self, reply: Any) -> None:
        call = self._in_flight.popleft()
        if not isinstance(reply, ReplyError):
            call.resolve(reply)
            return
        if reply.code == "NOSCRIPT" and call.script is not None:
            # SCRIPT FLUSH, or loading is not allowed. Sent again at once it would come
            # behind what was called after it: first comes the answer to all of that.
            call.written = False
            self._unloaded.append(call)
            self._paused = True
            return
        if reply.code in RECONNECT_ON:
            call.refuse("Redis has no primary at the moment.")
            raise ConnectionLostError(f"Redis does not serve as a primary: {reply}")
        if reply.code in REFUSED:
            call.refuse(
                "Redis cannot take this at the moment.",
                retry_after_ms=REFUSED_RETRY_MS,
            )
            self._refusals.note(reply)
        else:
            call.reject(reply)

    def _recover_calls(self) -> None:
        """After a cut: what may be sent again waits for the next connection."""
        now = asyncio.get_running_loop().time()
        again = self._unloaded
        self._unloaded = []
        for call in self._in_flight:
            if call.resend and call.deadline > now:
                call.doubtful = True
                again.append(call)
            else:
                call.give_up()
        self._in_flight.clear()
        self._waiting.extendleft(reversed(again))

    def _close(self) -> None:
        self._closed = True
        for call in (*self._unloaded, *self._in_flight, *self._waiting):
            call.give_up()
        self._unloaded.clear()
        self._in_flight.clear()
        self._waiting.clear()


class Server(Protocol):
    """One server, as it is asked about itself."""

    def call(self, *command: Argument) -> Awaitable[Any]:
        """Carry out a command at that server."""

    def keys_here(self, name: str) -> list[str]:
        """Return keys with this in their names that the server has, most likely."""


class Refusals:
    """Tells the log of refused commands, and not of each one."""

    def __init__(self) -> None:
        # Those that were not told of yet, and when they may be.
        self._count, self._due = 0, 0.0

    def note(self, reply: ReplyError) -> None:
        """Take note of one."""
        self._count += 1
        now = asyncio.get_running_loop().time()
        if now >= self._due:
            _logger.error("Redis refuses commands (%d times): %s", self._count, reply)
            self._count, self._due = 0, now + REFUSALS_SECONDS
