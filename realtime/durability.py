"""Durability: how safe a write is before its ack goes out.

A write that Redis answered is in its memory, and in the kernel's hands if there is an
append-only file. ``fsync`` waits until it is on disk (WAITAOF, Redis 7.2), and
``replicas:N`` until N replicas have it (WAIT). Many writes wait together: one
confirmation covers all that were answered before it was asked for (group commit).
"""

import asyncio
import re
from typing import Final, NamedTuple

from realtime.errors import ChatError, OutcomeUnknownError
from realtime.in_turn import in_turn
from realtime.redis_link import RedisLink
from realtime.redis_url import ConnectionFactory
from realtime.redis_wire import ReplyError

MARK: Final = "chatroom:durable"
"""Written before each confirmation. WAIT and WAITAOF speak of what their own
connection wrote last; replication keeps one order for all, so what was answered
before this write is confirmed with it."""

CALLS_LIMIT: Final = 8
"""Calls under way on a confirmation's own connection: two are needed."""

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
    """Confirms that what Redis answered has become as safe as a level says.

    Args:
        factory: Makes connections; a level in use has one of its own, because the
            wait blocks it.
        default: The level of rooms that have none of their own.
        timeout_seconds: Deadline of one confirmation.
    """

    def __init__(
        self,
        factory: ConnectionFactory,
        *,
        default: Level,
        timeout_seconds: float,
    ) -> None:
        self._factory = factory
        self._default = default
        self._timeout_seconds = timeout_seconds
        self._groups: dict[str, _Group] = {}

    async def confirm(self, own: str | None) -> str:
        """Wait until all that was answered before this call is safe.

        Args:
            own: The room's own level; None: the default.

        Returns:
            The name of the level that was reached.

        Raises:
            OutcomeUnknownError: It was not confirmed in time. The write stands; the
                same request, sent again, waits for it again.
        """
        level = self._default if own is None else parse_level(own)
        if level == MEMORY:
            return level.name
        group = self._groups.get(level.name)
        if group is None:
            link = RedisLink(
                self._factory,
                timeout_seconds=2 * self._timeout_seconds,
                limit_calls=CALLS_LIMIT,
            )
            group = self._groups[level.name] = _Group(
                link, level, self._timeout_seconds
            )
        await group.confirm()
        return level.name

    async def aclose(self) -> None:
        """End all waits and connections."""
        for group in self._groups.values():
            await group.aclose()
        self._groups.clear()


class _Group:
    """The writes of one level that wait together."""

    def __init__(self, link: RedisLink, level: Level, timeout_seconds: float) -> None:
        self._link = link
        self._level = level
        self._timeout_ms = int(timeout_seconds * 1000)
        self._waiting: list[asyncio.Future[None]] = []
        self._wake = asyncio.Event()
        link.start()
        self._running = asyncio.create_task(self._run(), name=f"durable-{level.name}")

    def confirm(self) -> asyncio.Future[None]:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        self._wake.set()
        return waiting

    async def aclose(self) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        _settle(self._waiting, OutcomeUnknownError("This node is shutting down."))
        await self._link.aclose()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            together, self._waiting = self._waiting, []
            try:
                _settle(together, await self._ask())
            except asyncio.CancelledError:
                _settle(together, OutcomeUnknownError("This node is shutting down."))
                raise

    async def _ask(self) -> ChatError | None:
        """Return what stands in the way of durability, None when it is reached."""
        level = self._level
        marked = self._link.call("INCR", MARK)
        if level.replicas:
            waited = self._link.call("WAIT", level.replicas, self._timeout_ms)
        else:
            waited = self._link.call("WAITAOF", 1, 0, self._timeout_ms)
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
            said = await self._link.call("CONFIG", "GET", "appendfsync")
        except (ChatError, ReplyError) as error:
            return OutcomeUnknownError(f"Redis cannot confirm writes: {error}")
        if said[1:] == [b"always"]:
            return None
        return OutcomeUnknownError("Redis neither has WAITAOF nor syncs each write.")


def _settle(waiting: list[asyncio.Future[None]], error: ChatError | None) -> None:
    for each in waiting:
        if each.done():
            continue
        if error is None:
            each.set_result(None)
        else:
            each.set_exception(error)
