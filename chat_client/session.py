"""One user in one room at a time, through every outage of the network and the server.

What was missed is recovered by the room's cursor; what has no definite answer is asked
again, with the same ``clientId``. So nothing acknowledged is lost or doubled.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from chat_client.answers import (
    NOTED,
    RefusedError,
    error_of,
    number,
    sentence,
)
from chat_client.link import FIRST_RETRY_SECONDS, Ack, Link
from chat_client.position import Position
from chat_client.view import visible
from realtime.errors import StartError
from verify.client.connection import LostError

# Waits from here on are told to the person.
TELL_SECONDS: Final = 1.0


class Session:
    """A connection that comes back, and the room it attends.

    Args:
        url: The server.
        auth: The credentials.
        on_event: Takes what is to be shown, in the room's order, each once.
        note: Takes sentences about the connection.
        backlog: Whether the newest messages of a room are shown on entering it.
    """

    def __init__(
        self,
        url: str,
        auth: Mapping[str, str],
        *,
        on_event: Callable[[str, Mapping[str, Any]], None],
        note: Callable[[str], None],
        backlog: bool,
    ) -> None:
        self._url = url
        self._on_event = on_event
        self._note = note
        self._backlog = backlog
        self._link = Link(url, auth, on_event=self._event, on_lost=self._lost)
        self._joining = asyncio.Lock()
        self._online = asyncio.Event()
        self._trouble = asyncio.Event()
        self.position: Position | None = None

    async def start(self, room: str) -> None:
        """Connect and enter the room.

        Raises:
            StartError: It cannot be; with a sentence that says why.
        """
        try:
            await self._link.connect()
        except LostError as error:
            raise StartError(f"no server answers at {self._url}: {error}") from None
        self._online.set()
        try:
            await self.enter(room)
        except RefusedError as error:
            raise StartError(f"room {visible(room)}: {error}") from None

    async def keep(self) -> None:
        """Come back whenever the connection ends.

        Raises:
            StartError: The server does not take this user any more.
        """
        delay, offline = FIRST_RETRY_SECONDS, False
        while True:
            await self._trouble.wait()
            self._trouble.clear()
            self._online.clear()
            try:
                if not self._link.is_up:
                    if not offline:
                        self._note(f"offline ({visible(self._link.reason)})")
                    offline = True
                    delay = await self._link.reconnect()
                if self.position is not None:
                    await self._attend(self.position)
            except LostError:
                # Between connect and join: no busy loop of that.
                await asyncio.sleep(delay)
                self._trouble.set()
                continue
            except RefusedError as error:
                self._note(f"no longer in the room: {error}")
                self.position = None
            if offline:
                self._note("online again")
            offline = False
            self._online.set()

    async def enter(self, room: str) -> None:
        """Attend a room, in the place of the one before.

        Raises:
            RefusedError: The server does not let the user in.
            StartError: As for :meth:`keep`.
        """
        before = self.position
        if before is not None and before.room == room:
            return
        position = Position(room)
        while True:
            await self._online.wait()
            try:
                await self._attend(position)
                break
            except LostError:
                self._lost()
                if self.position is position:
                    # The server had taken it: the way back is by its cursor.
                    await self._online.wait()
                    break
        if before is not None:
            await self.ask("leave", {"room": before.room})

    async def ask(self, event: str, payload: Mapping[str, object]) -> Ack:
        """Send a request until there is a definite answer, and return its ack.

        Raises:
            RefusedError: The answer is an error that does not pass by itself.
        """
        joined_again = False
        while True:
            if not self._link.is_up:
                self._note("kept until the server is back")
            await self._online.wait()
            try:
                ack = await self._link.request(event, payload)
            except LostError:
                self._lost()
                continue
            if ack.get("ok"):
                return ack
            error = error_of(ack)
            if error.get("temporary"):
                await self._wait(error)
            elif error.get("code") == "not_attending" and self._may_rejoin(
                payload, joined_again
            ):
                joined_again = True
                self._online.clear()
                self._trouble.set()
            else:
                raise RefusedError(sentence(error), str(error.get("code")))

    async def close(self) -> None:
        """End the connection."""
        await self._link.close()

    def _may_rejoin(self, payload: Mapping[str, object], joined_again: bool) -> bool:
        position = self.position
        return (
            not joined_again
            and position is not None
            and position.room == payload.get("room")
        )

    async def _wait(self, error: Mapping[str, Any]) -> None:
        seconds = max(FIRST_RETRY_SECONDS, number(error.get("retryAfter")) / 1000)
        if seconds >= TELL_SECONDS:
            self._note(f"waiting {seconds:.0f} s: {sentence(error)}")
        await asyncio.sleep(seconds)

    async def _attend(self, position: Position) -> None:
        async with self._joining:
            more = True
            while more:
                sent = position.cursor
                payload = {"room": position.room} | ({"cursor": sent} if sent else {})
                ack = await self._link.request(
                    "join", payload, on_ack=lambda ack: self._joined(position, ack)
                )
                if ack.get("ok"):
                    more = bool(ack.get("more"))
                elif error_of(ack).get("temporary"):
                    await self._wait(error_of(ack))
                else:
                    raise RefusedError(sentence(error_of(ack)))

    def _joined(self, position: Position, ack: Ack) -> None:
        """Take a join's answer in the step in which it comes: events follow it."""
        if not ack.get("ok"):
            return
        entering, recovered = position.cursor is None, ack.get("recovered")
        self.position = position
        if not entering and not recovered:
            self._note("what was missed is lost to recovery; these are the newest")
        if not recovered:
            position.offset = 0
        for name, fields in ack.get("events") or ():
            if not entering or self._backlog:
                self._on_event(name, fields)
        position.cursor = ack["cursor"]
        position.offset = int(ack["cursor"].partition(":")[0])
        position.last_message = ack["lastMessage"]
        position.moved.set()

    def _event(self, name: str, fields: Any) -> None:
        fields = fields if isinstance(fields, dict) else {}
        position = self.position
        if name in NOTED:
            self._note(NOTED[name](fields))
        if name == "closing":
            self._link.retry_after = number(fields.get("retryAfter")) / 1000
        if position is not None and fields.get("room") == position.room:
            self._in_room(position, name, fields)

    def _in_room(self, position: Position, name: str, fields: dict[str, Any]) -> None:
        if name == "membership_ended":
            self.position = None
        elif name == "reload":
            position.cursor = None
            self._trouble.set()
        elif "offset" not in fields:
            self._on_event(name, fields)
        elif fields["offset"] > position.offset:
            position.offset = fields["offset"]
            position.cursor = f"{fields['offset']}:{fields['uid']}"
            if name == "message":
                position.last_message = fields["message"]
            self._on_event(name, fields)
            position.moved.set()

    def _lost(self) -> None:
        self._online.clear()
        self._trouble.set()
