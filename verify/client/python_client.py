"""A client that reconnects, switches nodes, joins twice, begins anew and resends."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from verify.client.client import TEXT_LENGTHS, UNSURE, Client
from verify.client.connection import Connection, LostError, MakeConnector
from verify.client.room_view import RoomView
from verify.history import (
    Answered,
    Down,
    Outcome,
    Page,
    Read,
    Sent,
    Up,
    event_members,
    text_of,
)

# Code of an attempt whose connection ended before the answer.
CUT_OFF = "cut off"

# Silence after which a request counts as unanswered: the server promises 5 s.
ANSWER_SECONDS = 6.0

# Range of the pause before a reconnect: spread, as those of many clients are.
RECONNECT_SECONDS = (0.05, 0.4)

# Longest pause that a node may ask for when it closes; runs are short.
CLOSING_SECONDS = 2.0

# Pause after a temporary refusal that names none: an outage is seconds long.
RETRY_SECONDS = 0.2

# Requests sent before the first one's ack: what waits after an outage, and bursts.
AT_ONCE = 4

# Where a request carries the name of the operation, so that its event has it as well.
NAMED_BY = {
    "send": "clientId",
    "edit": "clientId",
    "delete": "reason",
    "member_remove": "reason",
    "room_set": "name",
}

# Members of an ack that say where the event is, and how safe.
PLACE = ("message", "offset", "uid", "duplicate", "durability")


@dataclass(eq=False, kw_only=True)
class PythonClient(Client):
    """A client on python-socketio's own.

    Attributes:
        nodes: Addresses; each connect goes to one of them by chance.
        transports: Engine.IO transports, in order.
        connector: Makes what its connections go through; the usual one if None.
    """

    nodes: Sequence[str]
    transports: Sequence[str]
    connector: MakeConnector | None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._views = {room: RoomView(room, self.write) for room in self.rooms}
        # In order; dicts, because what is settled leaves from anywhere.
        self._outboxes: dict[str, dict[str, tuple[str, dict[str, Any]]]]
        self._outboxes = {room: {} for room in self.rooms}
        self._connection: Connection | None = None
        self._changed = asyncio.Event()
        self._pause = 0.0

    def ask(
        self, room: str, client_id: str, name: str = "send", **args: object
    ) -> None:
        """Carry an operation out under this clientId, through every outage."""
        self._outboxes[room][client_id] = (name, args)
        self._note_change()

    async def mark_read(self, room: str, message: int) -> None:
        """Mark a message as read."""
        if ack := await self._try("mark_read", room=room, message=message):
            mark, now = ack["lastReadMessage"], time.monotonic()
            self.write(Read(now, room, self.history.user, mark, own=True))

    async def look(self, room: str) -> None:
        """Read the newest page of the history."""
        asked_at = time.monotonic()
        if ack := await self._try("history", room=room):
            states = [event_members("message", each) for each in ack["messages"]]
            self.write(Page(time.monotonic(), room, asked_at, states))

    async def _try(self, name: str, *, room: str, **args: object) -> dict[str, Any]:
        """Return the ack of a request that nothing depends on; empty without one."""
        connection = self._connection
        if connection is None or not self._views[room].attended:
            return {}
        payload: dict[str, object] = {"room": room, **args}
        try:
            ack = await connection.request(name, payload, seconds=ANSWER_SECONDS)
        except LostError:
            return {}
        return ack if ack.get("ok") else {}

    async def reconnect(self) -> None:
        """Cut the connection."""
        if self._connection is not None:
            await self._connection.close()

    async def start_over(self) -> None:
        """Forget where it was and connect anew."""
        await self.reconnect()
        for view in self._views.values():
            view.forget()

    def join_again(self, room: str) -> None:
        """Join a room that is attended already, over the same connection."""
        self._views[room].attended = False
        self._note_change()

    async def run(self) -> None:
        """Connect again and again, and send, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for room in self.rooms:
                tasks.create_task(self._send_all(room), name=f"outbox-{self.name}")
            while True:
                await self._live()
                pause = self._pause or self.rng.uniform(*RECONNECT_SECONDS)
                self._pause = 0.0
                await asyncio.sleep(pause)

    async def _live(self) -> None:
        """One connection from its beginning to its end."""
        connection = Connection(
            self._event, on_lost=self._note_change, connector=self.connector
        )
        node = self.rng.choice(self.nodes)
        try:
            await connection.open(node, self.auth, self.transports)
            self.write(Up(time.monotonic(), node))
            self._connection = connection
            while not connection.is_lost:
                await self._attend(connection)
                await self._until(
                    lambda: connection.is_lost or bool(self._not_attended())
                )
        except LostError as error:
            self.trouble = str(error)
        finally:
            if self._connection is connection:
                self.write(Down(time.monotonic(), connection.reason))
            self._connection = None
            for view in self._views.values():
                view.lost()
            self._note_change()
            await connection.close()

    async def _attend(self, connection: Connection) -> None:
        """Ask, from where each room is, until all are attended."""

        def joined(ack: dict[str, Any]) -> None:
            for answer in ack.get("rooms", ()):
                if answer.get("ok"):
                    self._views[answer["room"]].joined(answer)
                else:
                    self.trouble = str(answer)
                    self._views[answer["room"]].refused(answer["error"])

        while wanted := self._not_attended():
            asked = [view.ask() for view in wanted]
            # Taken in the step in which it arrives: events may be right behind it.
            ack = await connection.request(
                "sync", {"rooms": asked}, seconds=ANSWER_SECONDS, on_ack=joined
            )
            self._note_change()
            if self._not_attended():
                self.trouble = self.trouble if ack.get("ok") else str(ack)
                await asyncio.sleep(self.rng.uniform(*RECONNECT_SECONDS))

    def _not_attended(self) -> list[RoomView]:
        return [view for view in self._views.values() if not view.attended]

    async def _send_all(self, room: str) -> None:
        """Send what is in a room's outbox, in order, a few messages at a time."""
        outbox, view = self._outboxes[room], self._views[room]
        while True:
            await self._until(lambda: bool(outbox) and view.attended)
            ahead = list(islice(outbox, AT_ONCE))
            pauses = await asyncio.gather(
                *(self._attempt(room, each) for each in ahead)
            )
            for client_id, pause in zip(ahead, pauses, strict=True):
                if pause is None:
                    del outbox[client_id]
            self._note_change()
            await asyncio.sleep(max((each for each in pauses if each), default=0.0))

    async def _attempt(self, room: str, client_id: str) -> float | None:
        """Send once; return the pause before the next attempt, None if settled."""
        name, args = self._outboxes[room][client_id]
        self.write(Sent(time.monotonic(), room, client_id, name, args))
        connection = self._connection
        try:
            if connection is None:
                raise LostError("the connection ended")
            payload = self._payload(room, client_id)
            ack = await connection.request(name, payload, seconds=ANSWER_SECONDS)
        except LostError:
            self._answered(room, client_id, Outcome.UNKNOWN, code=CUT_OFF)
            return 0.0
        if ack.get("ok"):
            members = {each: ack[each] for each in PLACE if each in ack}
            if name != "send":
                # The number is that of the message which was changed.
                members = {**members, "message": 0, "ack": ack}
            self._answered(room, client_id, Outcome.ACKED, **members)
            return None
        code = ack["error"]["code"]
        outcome = Outcome.UNKNOWN if code in UNSURE else Outcome.REFUSED
        self._answered(room, client_id, outcome, code=code)
        if code == "not_attending":
            await self.reconnect()
        elif not ack["error"]["temporary"]:
            return None
        return max(RETRY_SECONDS, float(ack["error"].get("retryAfter", 0)) / 1000)

    def _payload(self, room: str, client_id: str) -> dict[str, object]:
        name, args = self._outboxes[room][client_id]
        payload: dict[str, object] = {"room": room, **args}
        if name in NAMED_BY:
            payload[NAMED_BY[name]] = client_id
        if name in ("send", "edit"):
            length = self.rng.randint(1, self.rng.choice(TEXT_LENGTHS))
            payload["text"] = text_of(client_id, length)
        return payload | ({"type": "text"} if name == "send" else {})

    def _answered(
        self, room: str, client_id: str, outcome: Outcome, **members: Any
    ) -> None:
        self.write(Answered(time.monotonic(), room, client_id, outcome, **members))

    def _event(self, name: str, payload: Any) -> None:
        if name == "closing":
            self._pause = min(payload.get("retryAfter", 0) / 1000, CLOSING_SECONDS)
        elif (view := self._views.get(payload.get("room"))) is not None:
            view.event(name, payload)
            if not view.attended:
                self._note_change()

    def _note_change(self) -> None:
        """Take note that something changed, for the counts and for who waits."""
        self.unsent = sum(map(len, self._outboxes.values()))
        for room, view in self._views.items():
            position = self.positions[room]
            position.attended, position.barred = view.attended, view.barred
        self._changed.set()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()
