"""Commands to Redis: pipelined by themselves, resent after a cut, never silent.

All commands of one turn of the event loop travel in one write and their replies are
read in batches, so that a busy node pays microseconds a command. There is one
connection and one order: what is called first is carried out first.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import Any

from realtime.errors import OutcomeUnknownError, UnavailableError
from realtime.lua import Script
from realtime.redis_url import ConnectionFactory
from realtime.redis_wire import Argument, RedisWire, ReplyError, WireError, pack
from realtime.wire_keeper import WireKeeper

log = logging.getLogger(__name__)

WATCH_SECONDS = 0.25
"""How often deadlines are looked at; a deadline is late by this much at most."""

SLOW_SECONDS = 1.0
"""An answer that takes longer means that Redis does not serve."""

REFUSED = frozenset(
    {
        "BUSY",
        "CLUSTERDOWN",
        "LOADING",
        "MASTERDOWN",
        "MISCONF",
        "NOREPLICAS",
        "OOM",
        "READONLY",
        "TRYAGAIN",
    }
)
"""Errors by which Redis says that it did nothing and may do it later."""

RECONNECT_ON = frozenset({"READONLY", "MASTERDOWN"})
"""Errors by which a former primary says that it is none any more."""


class _Call:
    """One command on its way.

    Attributes:
        written: Whether it was handed to a connection.
        doubtful: Whether it was handed to an earlier connection as well, and may have
            been carried out there: a later refusal does not prove the contrary.
    """

    __slots__ = ("deadline", "doubtful", "packed", "reply", "resend", "written")

    def __init__(
        self, packed: bytes, deadline: float, resend: bool, reply: asyncio.Future[Any]
    ) -> None:
        self.packed = packed
        self.deadline = deadline
        self.resend = resend
        self.reply = reply
        self.written = False
        self.doubtful = False


class RedisLink:
    """Commands over one connection that repairs itself.

    Args:
        factory: Makes the connections.
        timeout_seconds: Deadline of one call, waiting for a connection included.
        limit_calls: Most calls that may be under way; over it a call is refused with
            :class:`UnavailableError` at once.
    """

    def __init__(
        self,
        factory: ConnectionFactory,
        *,
        timeout_seconds: float,
        limit_calls: int,
        scripts: Sequence[Script] = (),
    ) -> None:
        self._timeout_seconds = timeout_seconds
        self._limit_calls = limit_calls
        self._scripts = tuple(scripts)
        self._wire: RedisWire | None = None
        self._waiting: deque[_Call] = deque()
        self._in_flight: deque[_Call] = deque()
        self._flush_planned = False
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._closed = False
        self.generation = 0
        """Number of the connection: what was answered under another number was
        answered, perhaps, by another server."""
        self._keeper = WireKeeper(
            "Redis commands",
            factory,
            connect_seconds=timeout_seconds,
            serve=self._serve,
            lost=self._lost,
        )

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._wire is not None

    @property
    def under_way(self) -> int:
        """Calls that wait for their answer."""
        return len(self._waiting) + len(self._in_flight)

    @property
    def healthy(self) -> bool:
        """Whether Redis is connected and owes no answer for more than a second."""
        if self._wire is None:
            return False
        if not self._in_flight:
            return True
        sent_at = self._in_flight[0].deadline - self._timeout_seconds
        return asyncio.get_running_loop().time() - sent_at < SLOW_SECONDS

    @property
    def failure(self) -> str:
        """Why there is no connection, in the words of the operating system."""
        return self._keeper.failure

    def start(self) -> None:
        """Begin to connect, in tasks that :meth:`aclose` ends."""
        if not self._tasks:
            self._tasks = (
                asyncio.create_task(self._keeper.run(), name="redis-link"),
                asyncio.create_task(self._watch(), name="redis-link-deadlines"),
            )

    async def aclose(self) -> None:
        """Close the connection; calls under way fail as after a cut."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = ()
        self._fail_all()

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
        return self._enqueue(pack(*command), resend).reply

    def run(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument]
    ) -> Coroutine[Any, Any, Any]:
        """Run a script by its digest; in order, and raising, as :meth:`call`."""
        head = (len(keys), *keys, *args)
        packed = pack("EVALSHA", script.digest, *head)
        return self._outcome(self._enqueue(packed, True), script, head)

    async def _outcome(
        self, call: _Call, script: Script, head: tuple[Argument, ...]
    ) -> Any:
        try:
            return await call.reply
        except ReplyError as error:
            if error.code != "NOSCRIPT":
                raise
        # SCRIPT FLUSH, or a failover to a replica that never saw the script.
        packed = pack("EVAL", script.source, *head)
        return await self._enqueue(packed, True, doubtful=call.doubtful).reply

    def _enqueue(self, packed: bytes, resend: bool, *, doubtful: bool = False) -> _Call:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout_seconds
        call = _Call(packed, deadline, resend, loop.create_future())
        call.doubtful = doubtful
        if self._closed:
            _refuse(call, "This node is shutting down.")
            return call
        if self.under_way >= self._limit_calls:
            because = "This node has too many requests under way."
            _refuse(call, because, limit="redis_calls")
            return call
        self._waiting.append(call)
        if self._wire is not None and not self._flush_planned:
            if self._in_flight:
                self._flush_planned = True
                loop.call_soon(self._flush)
            else:
                # Redis is idle: waiting for company would cost a turn of the loop.
                self._flush()
        return call

    def _flush(self) -> None:
        self._flush_planned = False
        if self._wire is None or not self._waiting:
            return
        batch = list(self._waiting)
        self._waiting.clear()
        for call in batch:
            call.written = True
        self._in_flight.extend(batch)
        self._wire.write(b"".join([call.packed for call in batch]))

    def _lost(self) -> None:
        self._wire = None
        self._recover_calls()

    async def _serve(self, wire: RedisWire) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout_seconds
        if self._waiting:
            # Deadlines are looked at in order: no call must wait longer for these.
            deadline = min(deadline, self._waiting[0].deadline)
        loads = [
            _Call(
                pack("SCRIPT", "LOAD", script.source),
                deadline,
                False,
                loop.create_future(),
            )
            for script in self._scripts
        ]
        for load in loads:
            # A script that could not be loaded is sent whole when it is first run.
            load.reply.add_done_callback(lambda done: done.exception())
        self._waiting.extendleft(reversed(loads))
        self._wire = wire
        self.generation += 1
        self._flush()
        self._keeper.works()
        await wire.serve(self._settle_all)

    async def _watch(self) -> None:
        """Keep the deadlines: of waiting calls, and of Redis's answers."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            now = asyncio.get_running_loop().time()
            while self._waiting and self._waiting[0].deadline < now:
                self._give_up(self._waiting.popleft())
            late = self._in_flight and self._in_flight[0].deadline < now
            if late and self._wire is not None:
                self._wire.abort("no answer in time")

    def _settle_all(self, replies: list[Any]) -> None:
        for reply in replies:
            self._settle(reply)

    def _settle(self, reply: Any) -> None:
        call = self._in_flight.popleft()
        if not isinstance(reply, ReplyError):
            _resolve(call, reply)
            return
        if reply.code in RECONNECT_ON:
            _refuse(call, "Redis has no primary at the moment.")
            raise WireError(f"Redis is not the primary any more: {reply}")
        if reply.code in REFUSED:
            _refuse(call, "Redis cannot take this at the moment.")
            log.error("Redis refuses commands: %s", reply)
        else:
            _reject(call, reply)

    def _recover_calls(self) -> None:
        """After a cut: what may be sent again waits for the next connection."""
        now = asyncio.get_running_loop().time()
        again = []
        for call in self._in_flight:
            if call.resend and call.deadline > now:
                call.doubtful = True
                again.append(call)
            else:
                self._give_up(call)
        self._in_flight.clear()
        self._waiting.extendleft(reversed(again))

    def _fail_all(self) -> None:
        for call in (*self._in_flight, *self._waiting):
            self._give_up(call)
        self._in_flight.clear()
        self._waiting.clear()

    def _give_up(self, call: _Call) -> None:
        if call.written:
            _reject(call, OutcomeUnknownError("Redis did not answer in time."))
        else:
            _refuse(call, "Redis cannot be reached.")


def _resolve(call: _Call, reply: Any) -> None:
    if not call.reply.done():
        call.reply.set_result(reply)


def _refuse(call: _Call, because: str, *, limit: str | None = None) -> None:
    """Answer that nothing was done, unless an earlier connection may have done it."""
    if call.doubtful:
        because = f"{because} It may have been done before."
        _reject(call, OutcomeUnknownError(because, limit=limit))
    else:
        _reject(call, UnavailableError(because, limit=limit))


def _reject(call: _Call, error: Exception) -> None:
    if not call.reply.done():
        call.reply.set_exception(error)
        # Who asked may have been cancelled: that is no error of its own.
        call.reply.exception()
