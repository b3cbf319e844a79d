"""A chat client that reconnects, switches nodes, resends, and writes it all down."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiohttp import TCPConnector

from verify.connection import Connection, LostError, SilentError
from verify.history import Down, History, Read, Record, Up
from verify.joining import ANSWER_SECONDS, join_rooms
from verify.outbox import Outbox
from verify.room_view import RoomView, text_of

RECONNECT_SECONDS = (0.05, 0.4)
"""Range of the pause before a reconnect: spread, as those of many clients are."""

CLOSING_SECONDS = 2.0
"""Longest pause that a node may ask for when it closes; runs are short."""

TEXT_LENGTHS = (1, 200, 200, 200, 3000)
"""Upper bounds of texts' lengths: mostly short ones, some as long as allowed."""


class Recorder:
    """One client of one user.

    ``connector`` may be set before it runs, as for :class:`Connection`; ``trouble`` is
    the last reason why something did not work.

    Args:
        client: Name of the client, unique in the run.
        user: User id.
        auth: Credentials for the connect.
        nodes: Addresses; each connect goes to one of them by chance.
        rooms: Rooms that it attends all the time.
        rng: Source of its decisions.
        transports: Engine.IO transports, in order.
    """

    def __init__(
        self,
        client: str,
        user: str,
        *,
        auth: Mapping[str, object],
        nodes: Sequence[str],
        rooms: Sequence[str],
        rng: random.Random,
        transports: Sequence[str] = ("websocket",),
    ) -> None:
        self.history = History(client, user)
        self.rooms = tuple(rooms)
        self._auth = dict(auth)
        self._nodes = tuple(nodes)
        self._rng = rng
        self._transports = tuple(transports)
        write = self.history.records.append
        self.views = {room: RoomView(room, write, time.monotonic) for room in rooms}
        self._outboxes = {room: self._make_outbox(room) for room in rooms}
        self._connection: Connection | None = None
        self._changed = asyncio.Condition()
        self._join_again = asyncio.Event()
        self._pause = 0.0
        self.trouble = ""
        self.connector: Callable[[], TCPConnector] | None = None

    def _make_outbox(self, room: str) -> Outbox:
        async def attempt(client_id: str, begun: Callable[[], None]) -> dict[str, Any]:
            return await self._attempt(room, client_id, begun)

        return Outbox(
            room,
            attempt=attempt,
            write=self.history.records.append,
            clock=time.monotonic,
        )

    @property
    def client(self) -> str:
        """Its name."""
        return self.history.client

    @property
    def unsent(self) -> int:
        """Messages whose outcome is not known yet."""
        return sum(len(outbox) for outbox in self._outboxes.values())

    def last_message(self, room: str) -> int:
        """Return the number of the newest message shown in a room."""
        return self.views[room].last_message

    def offsets(self) -> dict[str, int]:
        """Return the highest offset that it knows of in each room."""
        return {
            room: max(view.offset, view.acked_offset)
            for room, view in self.views.items()
        }

    def missing(self, tops: Mapping[str, int]) -> str:
        """Say what is still to come until all rooms are at their tops."""
        if self.unsent:
            return f"{self.unsent} messages unsent ({self.trouble or 'no trouble'})"
        for room, view in self.views.items():
            if not view.attended:
                return f"does not attend {room} ({self.trouble or 'no trouble'})"
            if view.offset < tops.get(room, 0):
                return f"is at offset {view.offset} of {tops[room]} in {room}"
        return ""

    def send(self, room: str, client_id: str) -> None:
        """Send a message under this clientId, through every outage."""
        self._outboxes[room].add(client_id)

    async def mark_read(self, room: str, message: int) -> None:
        """Mark a message as read; what becomes of it in an outage does not matter."""
        connection = self._connection
        if connection is None or not self.views[room].attended:
            return
        payload: dict[str, object] = {"room": room, "message": message}
        try:
            ack = await connection.request("mark_read", payload, seconds=ANSWER_SECONDS)
        except (LostError, SilentError):
            return
        if ack.get("ok"):
            mark = ack["lastReadMessage"]
            self._write(Read(self._now(), room, self.history.user, mark, own=True))

    async def reconnect(self) -> None:
        """Cut the connection, as a phone that changes networks does."""
        if self._connection is not None:
            await self._connection.close()

    async def start_over(self) -> None:
        """Forget where it was and connect anew, as a page that is opened again."""
        await self.reconnect()
        for view in self.views.values():
            view.forget()

    def join_again(self, room: str) -> None:
        """Join a room that is attended already, over the same connection."""
        view = self.views[room]
        if view.attended:
            view.attended = False
            self._join_again.set()

    async def run(self) -> None:
        """Connect again and again, and send, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for outbox in self._outboxes.values():
                tasks.create_task(outbox.run(), name=f"outbox-{self.client}")
            while True:
                await self._life()
                await asyncio.sleep(
                    self._pause or self._rng.uniform(*RECONNECT_SECONDS)
                )
                self._pause = 0.0

    async def _life(self) -> None:
        """One connection from its beginning to its end."""
        connection = Connection(self._event, connector=self.connector)
        node = self._rng.choice(self._nodes)
        try:
            await connection.open(node, self._auth, self._transports)
            self._write(Up(self._now(), node))
            self._connection = connection
            await self._attend(connection)
        except (LostError, SilentError) as error:
            self.trouble = str(error)
        finally:
            if self._connection is connection:
                self._write(Down(self._now(), connection.reason))
            self._connection = None
            for view in self.views.values():
                view.lost()
            await connection.close()

    async def _attend(self, connection: Connection) -> None:
        """Join all rooms, and again when the server asks for it."""
        while True:
            self._join_again.clear()
            await join_rooms(
                connection,
                self.views.values(),
                pause=lambda: self._rng.uniform(*RECONNECT_SECONDS),
                trouble=self._note_trouble,
            )
            async with self._changed:
                self._changed.notify_all()
            waiting = (
                asyncio.ensure_future(connection.lost.wait()),
                asyncio.ensure_future(self._join_again.wait()),
            )
            try:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waiting:
                    each.cancel()
                await asyncio.gather(*waiting, return_exceptions=True)
            if connection.lost.is_set():
                return

    def _note_trouble(self, text: str) -> None:
        self.trouble = text

    def _event(self, name: str, payload: Any) -> None:
        if name == "closing":
            self._pause = min(payload.get("retryAfter", 0) / 1000, CLOSING_SECONDS)
            return
        view = self.views.get(payload.get("room"))
        if view is not None and view.event(name, payload):
            view.attended = False
            self._join_again.set()

    async def _attempt(
        self, room: str, client_id: str, begun: Callable[[], None]
    ) -> dict[str, Any]:
        async with self._changed:
            await self._changed.wait_for(lambda: self.views[room].attended)
        connection = self._connection
        begun()
        if connection is None:
            raise LostError("the connection ended")
        length = self._rng.randint(1, self._rng.choice(TEXT_LENGTHS))
        payload: dict[str, object] = {
            "room": room,
            "clientId": client_id,
            "type": "text",
            "text": text_of(client_id, length),
        }
        try:
            ack = await connection.request("send", payload, seconds=ANSWER_SECONDS)
        except SilentError:
            # A connection that gives no answers is no connection.
            await connection.close()
            raise
        if ack.get("ok"):
            view = self.views[room]
            view.acked_offset = max(view.acked_offset, ack["offset"])
        elif ack["error"]["code"] == "not_attending":
            await connection.close()
        return ack

    def _write(self, record: Record) -> None:
        self.history.records.append(record)

    @staticmethod
    def _now() -> float:
        return time.monotonic()
