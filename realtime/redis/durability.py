"""Durability: how safe a write is before its ack goes out.

A write that Redis answered is in its memory, and in the kernel's hands if there is an
append-only file. ``fsync`` waits until it is on disk (WAITAOF, Redis 7.2), and
``replicas:N`` until N replicas have it (WAIT). Many writes wait together: one
confirmation covers all that were answered before it was asked for (group commit).
"""

import asyncio
import re
from collections.abc import Awaitable, Sequence
from typing import Any, Final, NamedTuple, Protocol

from realtime.errors import ChatError, OutcomeUnknownError
from realtime.redis.client import RedisClient
from realtime.redis.connection import Argument, ReplyError
from realtime.redis.script import Script
from realtime.tasks import gather_started

# Written before each confirmation: WAIT and WAITAOF speak of the last write of their
# own connection, and a repeated `clientId` writes nothing.
MARK: Final = "chatroom:durable"

# Writes under way at once.
CALLS_LIMIT: Final = 20_000

# Deadline of a write, in deadlines of a confirmation: one may be in its way.
WRITE_SHARE: Final = 1.5

# Deadline of a write and its confirmation together, in the same unit: 4 s, so that a
# send is answered within 5 s.
TOTAL_SHARE: Final = 2.0

# Refusals of a mark whose slot moves to another shard: another mark is tried.
MOVING: Final = frozenset({"MOVED", "ASK", "TRYAGAIN"})

# How Redis before 7.2 answers WAITAOF.
UNKNOWN_COMMAND: Final = "ERR unknown command"

_LEVEL: Final = re.compile(r"memory|fsync|replicas:([1-9][0-9]?)", re.ASCII)


class Level(NamedTuple):
    """``memory``, ``fsync`` or ``replicas:N``."""

    name: str
    replicas: int = 0


MEMORY: Final = Level("memory")


def parse_level(text: str) -> Level:
    """Return the level that a setting names.

    Raises:
        ValueError: It names none.
    """
    match = _LEVEL.fullmatch(text)
    if match is None:
        raise ValueError("Must be memory, fsync or replicas:N.")
    return Level(text, int(match[1] or 0))


class Carrier(Protocol):
    """The connection to one server."""

    generation: int

    def call(self, *command: Argument, resend: bool = ...) -> Awaitable[Any]:
        """Carry out a command at that server."""

    def keys_here(self, name: str) -> list[str]:
        """Return keys with this in their names that the server has, most likely."""


class _Write(NamedTuple):
    """A write that waits, and the connection that it was carried out on."""

    generation: int
    safe: asyncio.Future[None]


class Durability:
    """Carries writes out and waits until they are as safe as a level says.

    The write and its confirmation must be of one connection. After a failover another
    one may lead to another server, which would confirm what it never had.

    In a cluster each shard confirms its own writes, beside the others.

    Args:
        client: A client of its own, because the wait blocks its connections; its
            deadline is :data:`WRITE_SHARE` of the one below, for a write may wait for
            the confirmation of those before. It is run by :meth:`run`.
        level: What is waited for; nothing is run for :data:`MEMORY`.
        timeout_seconds: Deadline of one confirmation.
    """

    def __init__(
        self, client: RedisClient, *, level: Level, timeout_seconds: float
    ) -> None:
        self.level = level
        self._timeout_seconds = timeout_seconds
        self._client = client
        self._waiting: dict[Carrier, list[_Write]] = {}
        # Those whose writes are being confirmed.
        self._confirming: dict[Carrier, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None

    def __len__(self) -> int:
        """Return how many writes wait until they are safe."""
        return sum(map(len, self._waiting.values()))

    @property
    def publish_command(self) -> str:
        """What scripts publish with."""
        return self._client.publish_command

    async def run_script(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument]
    ) -> Any:
        """Run a script and return its reply once what it wrote is safe.

        Args:
            script: May be run again: repeating it is how an unknown outcome is settled.
            keys: The script's keys.
            args: The script's arguments.

        Raises:
            UnavailableError: Nothing was written.
            OutcomeUnknownError: It may have been written, or was and is not confirmed.
        """
        try:
            # Each step has a deadline of its own; together they must not add up.
            async with asyncio.timeout(TOTAL_SHARE * self._timeout_seconds):
                reply, carrier = await self._client.run_script_at(script, keys, args)
                await self._confirmed(carrier)
        except TimeoutError:
            raise OutcomeUnknownError("Redis did not confirm in time.") from None
        return reply

    def _confirmed(self, carrier: Carrier) -> asyncio.Future[None]:
        safe: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        write = _Write(carrier.generation, safe)
        if self._group is None:
            _settle([write], OutcomeUnknownError("This node is shutting down."))
            return safe
        self._waiting.setdefault(carrier, []).append(write)
        if carrier not in self._confirming:
            self._confirming[carrier] = self._group.create_task(
                self._confirm_all(carrier), name="durability-confirming"
            )
        return safe

    async def run(self) -> None:
        """Confirm writes until cancelled; those that wait then fail as unknown."""
        if self.level == MEMORY:
            return
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                group.create_task(self._client.run(), name="durability-client")
        finally:
            self._group = None
            for waiting in self._waiting.values():
                _settle(waiting, OutcomeUnknownError("This node is shutting down."))
            self._waiting.clear()

    async def _confirm_all(self, carrier: Carrier) -> None:
        """Confirm what was carried out at a server until nothing waits any more."""
        try:
            while together := self._waiting.pop(carrier, None):
                await self._confirm(carrier, together)
        finally:
            del self._confirming[carrier]

    async def _confirm(self, carrier: Carrier, together: list[_Write]) -> None:
        generation = carrier.generation
        try:
            error = await self._ask(carrier)
        except asyncio.CancelledError:
            _settle(together, OutcomeUnknownError("This node is shutting down."))
            raise
        if carrier.generation != generation:
            error = OutcomeUnknownError("The connection to Redis was cut.")
        same = [each for each in together if each.generation == generation]
        _settle(same, error)
        _settle(together, OutcomeUnknownError("The connection to Redis was cut."))

    async def _ask(self, carrier: Carrier) -> ChatError | None:
        """Return what stands in the way of durability, None when it is reached."""
        level = self.level
        timeout_ms = int(self._timeout_seconds * 1000)
        if level.replicas:
            wait: tuple[Argument, ...] = ("WAIT", level.replicas, timeout_ms)
        else:
            wait = ("WAITAOF", 1, 0, timeout_ms)
        refused: ReplyError | None = None
        for mark in carrier.keys_here(MARK):
            marked = carrier.call("INCR", mark, resend=False)
            waited = carrier.call(*wait, resend=False)
            try:
                _, reached = await gather_started(marked, waited)
            except ReplyError as error:
                refused = error
                if error.code in MOVING:
                    continue
                break
            except ChatError:
                return OutcomeUnknownError("Redis did not confirm the write in time.")
            count = reached if level.replicas else reached[0]
            if count >= max(1, level.replicas):
                return None
            return OutcomeUnknownError(f"The write is not yet safe: {level.name}.")
        if level.replicas or not str(refused).startswith(UNKNOWN_COMMAND):
            return OutcomeUnknownError(f"Redis cannot confirm writes: {refused}")
        return await self._ask_old_redis(carrier)

    async def _ask_old_redis(self, carrier: Carrier) -> ChatError | None:
        """Without WAITAOF the only proof is that each write is synced at once."""
        try:
            said = await carrier.call("CONFIG", "GET", "appendfsync")
        except (ChatError, ReplyError) as error:
            return OutcomeUnknownError(f"Redis cannot confirm writes: {error}")
        if said[1:] == [b"always"]:
            return None
        return OutcomeUnknownError("Redis neither has WAITAOF nor syncs each write.")


def _settle(writes: list[_Write], error: ChatError | None) -> None:
    """Answer those that were not answered yet."""
    for write in writes:
        if write.safe.done():
            continue
        if error is None:
            write.safe.set_result(None)
        else:
            write.safe.set_exception(error)
