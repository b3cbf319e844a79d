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
from realtime.in_turn import in_turn
from realtime.redis.client import RedisLink
from realtime.redis.connection import Argument, ReplyError
from realtime.redis.script import Script
from realtime.redis.url import ConnectionFactory
from realtime.tasks import end_task

MARK: Final = "chatroom:durable"
"""Written before each confirmation: WAIT and WAITAOF speak of the last write of their
own connection, and a repeated ``clientId`` writes nothing."""

CALLS_LIMIT: Final = 20_000
"""Writes of one level under way at once."""

WRITE_SHARE: Final = 1.5
"""Deadline of a write, in deadlines of a confirmation: one may be in its way."""

TOTAL_SHARE: Final = 2.0
"""Deadline of a write and its confirmation together, in the same unit: 4 s, so that
a send is answered within 5 s."""

UNKNOWN_COMMAND: Final = "ERR unknown command"
"""How Redis before 7.2 answers WAITAOF."""

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


class Durability:
    """Carries writes out and waits until they are as safe as a level says.

    The write and its confirmation must be of one connection. After a failover another
    one may lead to another server, which would confirm what it never had.

    Args:
        factory: Makes connections; a level in use has one of its own, because the
            wait blocks it.
        default: The level of rooms that have none of their own.
        timeout_seconds: Deadline of one confirmation.
    """

    def __init__(
        self, factory: ConnectionFactory, *, default: Level, timeout_seconds: float
    ) -> None:
        self._factory = factory
        self._default = default
        self._timeout_seconds = timeout_seconds
        self._groups: dict[str, _Group] = {}

    def __len__(self) -> int:
        """Return how many writes wait until they are safe."""
        return sum(map(len, self._groups.values()))

    def level(self, own: str | None) -> Level:
        """Return the level of a room, by its own one or the default."""
        return self._default if own is None else parse_level(own)

    async def run(
        self,
        level: Level,
        script: Script,
        keys: Sequence[str],
        args: Sequence[Argument],
    ) -> Any:
        """Run a script and return its reply once what it wrote is safe.

        Args:
            level: Any but :data:`MEMORY`.
            script: May be run again: repeating it is how an unknown outcome is settled.
            keys: The script's keys.
            args: The script's arguments.

        Raises:
            UnavailableError: Nothing was written.
            OutcomeUnknownError: It may have been written, or was and is not confirmed.
        """
        group = self._groups.get(level.name)
        if group is None:
            # More time: a write may wait for the confirmation of those before.
            link = RedisLink(
                self._factory,
                timeout_seconds=WRITE_SHARE * self._timeout_seconds,
                limit_calls=CALLS_LIMIT,
                scripts=(script,),
            )
            group = self._groups[level.name] = _Group(
                link, level, self._timeout_seconds
            )
        try:
            # Each step has a deadline of its own; together they must not add up.
            async with asyncio.timeout(TOTAL_SHARE * self._timeout_seconds):
                reply = await group.link.run(script, keys, args)
                await group.confirm(group.link.generation)
        except TimeoutError:
            raise OutcomeUnknownError("Redis did not confirm in time.") from None
        return reply

    async def aclose(self) -> None:
        """End all waits and connections."""
        for group in self._groups.values():
            await group.aclose()
        self._groups.clear()


class _Write(NamedTuple):
    """A write that waits, and the connection that it was carried out on."""

    generation: int
    safe: asyncio.Future[None]


class _Group:
    """The writes of one level that wait together."""

    def __init__(self, link: RedisLink, level: Level, timeout_seconds: float) -> None:
        self.link = link
        self._level = level
        self._timeout_ms = int(timeout_seconds * 1000)
        self._waiting: list[_Write] = []
        self._wake = asyncio.Event()
        link.start()
        self._running = asyncio.create_task(self._run(), name=f"durable-{level.name}")

    def __len__(self) -> int:
        return len(self._waiting)

    def confirm(self, generation: int) -> asyncio.Future[None]:
        safe: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Write(generation, safe))
        self._wake.set()
        return safe

    async def aclose(self) -> None:
        await end_task(self._running)
        _settle(self._waiting, OutcomeUnknownError("This node is shutting down."))
        await self.link.aclose()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            together, self._waiting = self._waiting, []
            generation = self.link.generation
            try:
                error = await self._ask()
            except asyncio.CancelledError:
                _settle(together, OutcomeUnknownError("This node is shutting down."))
                raise
            if self.link.generation != generation:
                error = OutcomeUnknownError("The connection to Redis was cut.")
            same = [each for each in together if each.generation == generation]
            _settle(same, error)
            _settle(together, OutcomeUnknownError("The connection to Redis was cut."))

    async def _ask(self) -> ChatError | None:
        """Return what stands in the way of durability, None when it is reached."""
        level = self._level
        marked = self.link.call("INCR", MARK, resend=False)
        if level.replicas:
            waited = self.link.call(
                "WAIT", level.replicas, self._timeout_ms, resend=False
            )
        else:
            waited = self.link.call("WAITAOF", 1, 0, self._timeout_ms, resend=False)
        try:
            _, reached = await in_turn(marked, waited)
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
            said = await self.link.call("CONFIG", "GET", "appendfsync")
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
