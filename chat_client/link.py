"""The connection to the server, made again and again."""

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Any, Final

from chat_client.answers import PASSING, number
from chat_client.view import visible
from realtime.errors import StartError
from verify.client.connection import Connection, LostError, OnEvent

# Deadline of an answer: longer than a server needs for anything.
ANSWER_SECONDS: Final = 10.0

# Between two tries: short enough for a restart, long enough to be no burden.
FIRST_RETRY_SECONDS: Final = 0.2
LONGEST_RETRY_SECONDS: Final = 10.0

Ack = dict[str, Any]


class Link:
    """One connection at a time.

    Attributes:
        retry_after: Seconds that the server wants the next try to wait.

    Args:
        url: The server.
        auth: The credentials.
        on_event: Takes the events.
        on_lost: Called when a connection that stood has ended.
    """

    def __init__(
        self,
        url: str,
        auth: Mapping[str, str],
        *,
        on_event: OnEvent,
        on_lost: Callable[[], None],
    ) -> None:
        self._url = url
        self._auth = auth
        self._on_event = on_event
        self._on_lost = on_lost
        self._connection: Connection | None = None
        self.retry_after = 0.0

    @property
    def is_up(self) -> bool:
        """Whether there is a connection."""
        return self._connection is not None and not self._connection.is_lost

    @property
    def reason(self) -> str:
        """Why the last one ended."""
        return self._connection.reason if self._connection else "not connected"

    async def connect(self) -> None:
        """Try once.

        Raises:
            LostError: It cannot be now.
            StartError: The server does not take this user.
        """
        await self.close()
        self._connection = None

        def lost() -> None:
            if self._connection is connection:
                self._on_lost()

        connection = Connection(self._on_event, on_lost=lost)
        try:
            await connection.open(self._url, self._auth, ["websocket"])
        except LostError:
            await connection.close()
            self._judge(connection.refusal)
            raise
        except BaseException:
            await connection.close()
            raise
        self._connection = connection

    async def reconnect(self) -> float:
        """Try until it stands; return the delay for what fails right after.

        Raises:
            StartError: The server does not take this user any more.
        """
        delay = FIRST_RETRY_SECONDS
        while True:
            # Spread, for all clients of a node that went come back at once.
            wait = delay * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
            await asyncio.sleep(max(wait, self.retry_after))
            self.retry_after = 0.0
            try:
                await self.connect()
                return delay
            except LostError:
                delay = min(2 * delay, LONGEST_RETRY_SECONDS)

    async def request(
        self,
        event: str,
        payload: Mapping[str, object],
        on_ack: Callable[[Ack], None] = lambda _ack: None,
    ) -> Ack:
        """Send one request and return its ack, an error as well.

        Raises:
            LostError: There was none.
        """
        if self._connection is None:
            raise LostError("not connected")
        return await self._connection.request(
            event, dict(payload), seconds=ANSWER_SECONDS, on_ack=on_ack
        )

    async def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            await self._connection.close()

    def _judge(self, refusal: Mapping[str, Any] | None) -> None:
        """Raise what does not pass by itself; note when to come back."""
        said = (refusal or {}).get("data")
        data = said if isinstance(said, dict) else {}
        if data and data.get("code") not in PASSING:
            text = visible(data.get("message", ""))
            raise StartError(f"the server refuses you: {text}")
        self.retry_after = number(data.get("retryAfter")) / 1000
