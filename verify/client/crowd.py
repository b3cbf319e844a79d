"""The clients of a run: who they are, and what they do all the time."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from aiohttp import TCPConnector

from verify.history import History
from verify.recorder import Recorder
from verify.web_recorder import WebRecorder

TRANSPORTS: tuple[tuple[str, ...], ...] = (
    ("websocket",),
    ("websocket",),
    ("polling", "websocket"),
    ("polling",),
)
"""What clients in turn connect with: half of them WebSocket alone."""

SEND_SECONDS = 0.5
"""Mean time between two messages of one client, unless the run says otherwise."""

BURST_SHARE = 0.05
"""Messages that others follow at once, before their acks."""

BURST = 3
"""How many follow."""

READ_SHARE = 0.25
"""Marks of a read message for each message sent; some of them go back on purpose."""

TWICE_SHARE = 0.1
"""Messages of users with two clients that both send under one clientId."""

RECONNECT_SHARE = 0.01
"""Reconnects of its own accord for each message that a client sends."""

JOIN_AGAIN_SHARE = 0.02
"""Repeated joins over one connection for each message that a client sends."""

START_OVER_SHARE = 0.005
"""New beginnings without a cursor for each message that a client sends."""

MakeAuth = Callable[[str], Mapping[str, object]]


class Client(Protocol):
    """A client of either kind, as :class:`Recorder` describes it."""

    history: History
    rooms: tuple[str, ...]

    @property
    def client(self) -> str:
        """Its name."""

    def send(self, room: str, client_id: str, /) -> None:
        """Send a message through every outage."""

    async def mark_read(self, room: str, message: int) -> None:
        """Mark a message as read."""

    async def reconnect(self) -> None:
        """Cut the connection."""

    def last_message(self, room: str) -> int:
        """Return the number of the newest message shown in a room."""

    def offsets(self) -> dict[str, int]:
        """Return the highest offset that it knows of in each room."""

    def missing(self, tops: Mapping[str, int]) -> str:
        """Say what is still to come until all rooms are at their tops."""

    async def run(self) -> None:
        """Live until cancelled."""


class Crowd:
    """All clients of a run, the last two Python ones of one user.

    Args:
        seed: The same seed gives the same clients, rooms and decisions.
        clients: How many Python clients, at least two.
        web_clients: How many web clients.
        web_url: Where web clients connect.
        ca: Certificates that web clients trust besides the usual ones.
        rooms: Ids of the rooms; everybody attends the first one, half the others.
        nodes: Addresses of the nodes.
        make_auth: Returns a user's credentials.
        send_seconds: Mean time between two messages of one client.
        connector: Makes what a connection goes through; the usual one if None.
    """

    def __init__(
        self,
        seed: int,
        *,
        clients: int,
        web_clients: int = 0,
        web_url: str = "",
        ca: Path | None = None,
        rooms: Sequence[str],
        nodes: Sequence[str],
        make_auth: MakeAuth,
        send_seconds: float = SEND_SECONDS,
        connector: Callable[[], TCPConnector] | None = None,
    ) -> None:
        self._rng = random.Random(f"crowd {seed}")  # noqa: S311 - repeatable
        # Each round has users of its own: what is kept of one must not hide the next.
        self._suffix = f"-{seed}"
        self._send_seconds = send_seconds
        self._sent = 0
        self._rooms = tuple(rooms)
        self._make_auth = make_auth
        python = [
            self._recruit(number, min(number, clients - 1), nodes)
            for number in range(1, clients + 1)
        ]
        for recorder in python:
            recorder.connector = connector
        self._twins = python[-2:]
        web = [self._recruit_web(number, web_url, ca) for number in range(web_clients)]
        self.recorders: list[Client] = [*python, *web]
        self._chatting = asyncio.Event()

    def _recruit(self, number: int, user_number: int, nodes: Sequence[str]) -> Recorder:
        user = f"user-{user_number}{self._suffix}"
        return Recorder(
            f"client-{number}",
            user,
            auth=self._make_auth(user),
            nodes=nodes,
            rooms=self._choose_rooms(),
            rng=random.Random(self._rng.random()),  # noqa: S311 - repeatable
            transports=TRANSPORTS[number % len(TRANSPORTS)],
        )

    def _recruit_web(self, number: int, url: str, ca: Path | None) -> WebRecorder:
        user = f"web-user-{number + 1}{self._suffix}"
        return WebRecorder(
            f"web-client-{number + 1}",
            user,
            auth=self._make_auth(user),
            url=url,
            rooms=self._choose_rooms(),
            rng=random.Random(self._rng.random()),  # noqa: S311 - repeatable
            ca=ca,
        )

    def _choose_rooms(self) -> list[str]:
        others = [room for room in self._rooms[1:] if self._rng.random() < 0.5]
        return [self._rooms[0], *others]

    async def run(self) -> None:
        """Connect all clients, and let them chat once told, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for recorder in self.recorders:
                tasks.create_task(recorder.run(), name=recorder.client)
                tasks.create_task(self._chat(recorder), name=f"{recorder.client} chats")

    @property
    def histories(self) -> list[History]:
        """What each client wrote down."""
        return [recorder.history for recorder in self.recorders]

    def start_chatting(self) -> None:
        """Send from now on."""
        self._chatting.set()

    def stop_chatting(self) -> None:
        """Send nothing new; what is in the outboxes still goes out."""
        self._chatting.clear()

    def attending(self, room: str) -> Counter[str]:
        """Return how many clients of each user attend a room, once all do."""
        return Counter(
            each.history.user for each in self.recorders if room in each.rooms
        )

    def unsettled(self) -> list[str]:
        """Return what is still to come, by client; empty when all have everything."""
        tops: dict[str, int] = {}
        for recorder in self.recorders:
            for room, offset in recorder.offsets().items():
                tops[room] = max(offset, tops.get(room, 0))
        return [
            f"{recorder.client}: {missing}"
            for recorder in self.recorders
            if (missing := recorder.missing(tops))
        ]

    async def _chat(self, recorder: Client) -> None:
        rng = random.Random(f"{recorder.client} {self._rng.random()}")  # noqa: S311
        while True:
            await asyncio.sleep(rng.expovariate(1 / self._send_seconds))
            await self._chatting.wait()
            room = rng.choice(recorder.rooms)
            for _ in range(1 + BURST * (rng.random() < BURST_SHARE)):
                self._say(recorder, room, rng)
            if rng.random() < READ_SHARE:
                number = recorder.last_message(room) - rng.choice((0, 0, 3))
                if number > 0:
                    await recorder.mark_read(room, number)
            if rng.random() < RECONNECT_SHARE:
                await recorder.reconnect()
            elif isinstance(recorder, Recorder):
                await self._wander(recorder, room, rng)

    async def _wander(self, recorder: Recorder, room: str, rng: random.Random) -> None:
        if rng.random() < JOIN_AGAIN_SHARE:
            recorder.join_again(room)
        elif rng.random() < START_OVER_SHARE:
            await recorder.start_over()

    def _say(self, recorder: Client, room: str, rng: random.Random) -> None:
        self._sent += 1
        client_id = f"{recorder.client}-{self._sent}"
        recorder.send(room, client_id)
        if recorder in self._twins and rng.random() < TWICE_SHARE:
            for other in self._twins:
                if other is not recorder and room in other.rooms:
                    other.send(room, client_id)
