"""Durability: how safe a write is before its ack goes out.

A write that Redis answered is in its memory, and in the kernel's hands if there is an
append-only file. ``fsync`` waits until it is on disk (WAITAOF, Redis 7.2), and
``replicas:N`` until N replicas have it (WAIT). Many writes wait together: one
confirmation covers all that were answered before it was asked for (group commit).
"""

import asyncio
import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from realtime.errors import ChatError, OutcomeUnknownError
from realtime.redis.client import RedisClient
from realtime.redis.connection import Argument, ReplyError
from realtime.redis.script import Script
from realtime.redis.url import ConnectionFactory
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


class _Write(NamedTuple):
    """A write that waits, and the connection that it was carried out on."""

    generation: int
    safe: asyncio.Future[None]


class Durability:
    """Carries writes out and waits until they are as safe as a level says.

    The write and its confirmation must be of one connection. After a failover another
    one may lead to another server, which would confirm what it never had.

    Args:
        factory: Makes the connection: one of its own, because the wait blocks it.
        level: What is waited for; there is no connection for :data:`MEMORY`.
        timeout_seconds: Deadline of one confirmation.
        scripts: Loaded over each connection before anything else is sent.
    """

    def __init__(
        self,
        factory: ConnectionFactory,
        *,
        level: Level,
        timeout_seconds: float,
        scripts: Sequence[Script],
    ) -> None:
        self.level = level
        self._timeout_seconds = timeout_seconds
        # More time: a write may wait for the confirmation of those before.
        self._client = RedisClient(
            factory,
            timeout_seconds=WRITE_SHARE * timeout_seconds,
            limit_calls=CALLS_LIMIT,
            scripts=scripts,
        )
        self._waiting: list[_Write] = []
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        """Return how many writes wait until they are safe."""
        return len(self._waiting)

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
                reply = await self._client.run_script(script, keys, args)
                await self._confirmed(self._client.generation)
        except TimeoutError:
            raise OutcomeUnknownError("Redis did not confirm in time.") from None
        return reply

    def _confirmed(self, generation: int) -> asyncio.Future[None]:
        safe: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Write(generation, safe))
        self._wake.set()
        return safe

    async def run(self) -> None:
        """Confirm writes until cancelled; those that wait then fail as unknown."""
        if self.level == MEMORY:
            return
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._client.run(), name="durability-client")
                tasks.create_task(self._confirm_all(), name="durability-confirming")
        finally:
            _settle(self._waiting, OutcomeUnknownError("This node is shutting down."))

    async def _confirm_all(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            together, self._waiting = self._waiting, []
            generation = self._client.generation
            try:
                error = await self._ask()
            except asyncio.CancelledError:
                _settle(together, OutcomeUnknownError("This node is shutting down."))
                raise
            if self._client.generation != generation:
                error = OutcomeUnknownError("The connection to Redis was cut.")
            same = [each for each in together if each.generation == generation]
            _settle(same, error)
            _settle(together, OutcomeUnknownError("The connection to Redis was cut."))

    async def _ask(self) -> ChatError | None:
        """Return what stands in the way of durability, None when it is reached."""
        level = self.level
        timeout_ms = int(self._timeout_seconds * 1000)
        marked = self._client.call("INCR", MARK, resend=False)
        if level.replicas:
            waited = self._client.call("WAIT", level.replicas, timeout_ms, resend=False)
        else:
            waited = self._client.call("WAITAOF", 1, 0, timeout_ms, resend=False)
        try:
            _, reached = await gather_started(marked, waited)
        except ReplyError as error:
            if level.replicas or not str(error).startswith(UNKNOWN_COMMAND):
                return OutcomeUnknownError(f"Redis cannot confirm writes: {error}")
            return await self._ask_old_redis()
        except ChatError:
            return OutcomeUnknownError("Redis did not confirm the write in time.")
        count = reached if level.replicas else reached[0]
        if count >= max(1, level.replicas):
            return None
        return OutcomeUnknownError(f"The write is not yet safe: {level.name}.")

    async def _ask_old_redis(self) -> ChatError | None:
        """Without WAITAOF the only proof is that each write is synced at once."""
        try:
            said = await self._client.call("CONFIG", "GET", "appendfsync")
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
