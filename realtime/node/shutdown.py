"""Drain: a node goes, and its clients come back to another without losing anything."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

_logger = logging.getLogger(__name__)

# How often requests under way are counted; only while a node goes.
LOOK_SECONDS: Final = 0.02

# Time for requests that were on their way when the clients were told; a round trip over
# a poor mobile connection.
GRACE_SECONDS: Final = 0.5

# Sessions that the other nodes take back in a second without a strain: connecting,
# authenticating and joining costs them about a millisecond each.
RETURNS_PER_SECOND: Final = 500

# Part of the time that is kept for closing the connections.
CLOSE_SHARE: Final = 0.3

# Sessions told, or closed, before the loop runs again: some 10 ms.
CHUNK_SESSIONS: Final = 500


class Drain:
    """Tells the sessions, waits for what is under way, closes the connections.

    Args:
        tell: Writes an event with its payload to a session, now.
        close: Closes a session's transport, not its namespace: the client comes back.
        refuse_new: Lets no new connection in.
        end: Ends what connections are left; takes the seconds there are for it.
        sids: Returns the sessions there are.
        under_way: Returns how many requests wait for their ack.
        seconds: Time for all of it.
        jitter: Returns a number from 0 to 1.
    """

    def __init__(
        self,
        *,
        tell: Callable[[str, str, dict[str, object]], None],
        close: Callable[[str], None],
        refuse_new: Callable[[], None],
        end: Callable[[float], Awaitable[None]],
        sids: Callable[[], Iterable[str]],
        under_way: Callable[[], int],
        seconds: float,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._tell = tell
        self._close = close
        self._refuse_new = refuse_new
        self._end = end
        self._told: set[str] = set()
        self._sids = sids
        self._under_way = under_way
        self._seconds = seconds
        self._jitter = jitter

    async def run(self) -> None:
        """Drain; returns when every connection has been closed, or time is up.

        Each session is told ``closing`` with a ``retryAfter`` of its own, so that they
        do not come back all at once: a few at once, thousands over some seconds.
        """
        loop = asyncio.get_running_loop()
        begin = loop.time()
        # Who comes back must meet another node, however late a balancer notices.
        self._refuse_new()
        count = sum(1 for _ in self._sids())
        spread = min(self._seconds, count / RETURNS_PER_SECOND)
        told = await self._each(lambda sid: self._tell_closing(sid, spread))
        if told:
            await asyncio.sleep(min(GRACE_SECONDS, self._seconds))
        # Looked at, not waited for: counting costs the requests nothing this way.
        deadline = begin + self._seconds * (1 - CLOSE_SHARE)
        while self._under_way() and loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)
        if left := self._under_way():
            _logger.error("%d requests were not finished in time", left)
        await self._each(self._send_away)
        await self._end(max(0.0, begin + self._seconds - loop.time()))
        _logger.info("Drained %d sessions in %.1f s", told, loop.time() - begin)

    def _tell_closing(self, sid: str, spread_seconds: float) -> None:
        retry_after_ms = int(self._jitter() * spread_seconds * 1000)
        self._told.add(sid)
        self._tell(sid, "closing", {"reason": "drain", "retryAfter": retry_after_ms})

    def _send_away(self, sid: str) -> None:
        if sid not in self._told:
            # It was on its way in when the others were told.
            self._tell_closing(sid, 0.0)
        self._close(sid)

    async def _each(self, act: Callable[[str], None]) -> int:
        """Do something to every session there is, and return how many there were."""
        sids = list(self._sids())
        for count, sid in enumerate(sids, start=1):
            act(sid)
            if count % CHUNK_SESSIONS == 0:
                await asyncio.sleep(0)
        return len(sids)
