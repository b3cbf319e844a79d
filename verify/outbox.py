"""A client's outbox of one room: the same clientId until its outcome is known."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Any

from verify.connection import LostError, SilentError
from verify.history import Answered, Outcome, Record, Sent

RETRY_SECONDS = 0.2
"""Pause after a temporary refusal that names none: an outage is seconds long."""

AT_ONCE = 4
"""Messages sent before the first one's ack: what waits after an outage, and bursts."""

UNSURE = frozenset({"unknown", "internal"})
"""Codes after which a message may be stored: others say that nothing was."""


class Outbox:
    """What is to be sent to a room, in its order, a few messages at a time.

    Args:
        room: Room id.
        attempt: Waits for attendance, then writes ``Sent`` and sends a clientId once;
            raises :class:`LostError` and :class:`SilentError`.
        write: Writes a record into the history.
        clock: Returns the time.
    """

    def __init__(
        self,
        room: str,
        *,
        attempt: Callable[[str, Callable[[], None]], Awaitable[dict[str, Any]]],
        write: Callable[[Record], None],
        clock: Callable[[], float],
    ) -> None:
        self._room = room
        self._attempt = attempt
        self._write = write
        self._clock = clock
        # In order; a dict, because what is settled leaves from anywhere.
        self._waiting: dict[str, None] = {}
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        """Messages whose outcome is not known yet."""
        return len(self._waiting)

    def add(self, client_id: str) -> None:
        """Send a message, after those that wait."""
        self._waiting[client_id] = None
        self._wake.set()

    async def run(self) -> None:
        """Send what is added, until cancelled."""
        while True:
            if not self._waiting:
                self._wake.clear()
                await self._wake.wait()
            ahead = list(islice(self._waiting, AT_ONCE))
            async with asyncio.TaskGroup() as tasks:
                tries = [tasks.create_task(self._try(each)) for each in ahead]
            pauses = [each.result() for each in tries]
            for client_id, pause in zip(ahead, pauses, strict=True):
                if pause is None:
                    del self._waiting[client_id]
            await asyncio.sleep(max((each for each in pauses if each), default=0.0))

    async def _try(self, client_id: str) -> float | None:
        """Attempt once; return the pause before the next attempt, None if settled."""

        def begun() -> None:
            self._write(Sent(self._clock(), self._room, client_id))

        try:
            ack = await self._attempt(client_id, begun)
        except LostError:
            self._answer(client_id, Outcome.UNKNOWN, "lost")
            return 0.0
        except SilentError:
            self._answer(client_id, Outcome.UNKNOWN, "silent")
            return 0.0
        if ack.get("ok"):
            self._write(
                Answered(
                    self._clock(),
                    self._room,
                    client_id,
                    Outcome.ACKED,
                    message=ack["message"],
                    offset=ack["offset"],
                    uid=ack["uid"],
                    duplicate=ack["duplicate"],
                    durability=ack["durability"],
                )
            )
            return None
        error = ack["error"]
        outcome = Outcome.UNKNOWN if error["code"] in UNSURE else Outcome.REFUSED
        self._answer(client_id, outcome, error["code"])
        if error["temporary"] or error["code"] == "not_attending":
            return max(RETRY_SECONDS, float(error.get("retryAfter", 0)) / 1000)
        return None

    def _answer(self, client_id: str, outcome: Outcome, code: str) -> None:
        self._write(Answered(self._clock(), self._room, client_id, outcome, code))
