"""The clients of a run: who they are, and what they do all the time."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence

from aiohttp.abc import AbstractResolver

from realtime.verify.recorder import Recorder

TRANSPORTS: tuple[tuple[str, ...], ...] = (
    ("websocket",),
    ("websocket",),
    ("polling", "websocket"),
    ("polling",),
)
"""What clients in turn connect with: half of them WebSocket alone."""

SEND_SECONDS = 0.5
"""Mean time between two messages of one client, unless the run says otherwise."""

READ_SHARE = 0.25
"""Marks of a read message for each message sent; some of them go back on purpose."""

TWICE_SHARE = 0.1
"""Messages of users with two clients that both send under one clientId."""

RECONNECT_SHARE = 0.01
"""Reconnects of its own accord for each message that a client sends."""

MakeAuth = Callable[[str], Mapping[str, object]]


class Crowd:
    """All clients of a run, the last two of them of one user.

    Args:
        seed: The same seed gives the same clients, rooms and decisions.
        clients: How many, at least two.
        rooms: Ids of the rooms; everybody attends the first one, half the others.
        nodes: Addresses of the nodes.
        make_auth: Returns a user's credentials.
        send_seconds: Mean time between two messages of one client.
        resolver: Makes the resolver of a connection; the usual one if None.
    """

    def __init__(
        self,
        seed: int,
        *,
        clients: int,
        rooms: Sequence[str],
        nodes: Sequence[str],
        make_auth: MakeAuth,
        send_seconds: float = SEND_SECONDS,
        resolver: Callable[[], AbstractResolver] | None = None,
    ) -> None:
        self._rng = random.Random(f"crowd {seed}")  # noqa: S311 - repeatable
        self._send_seconds = send_seconds
        self._sent = 0
        self.recorders = [
            self._recruit(number, min(number, clients - 1), rooms, nodes, make_auth)
            for number in range(1, clients + 1)
        ]
        for recorder in self.recorders:
            recorder.resolver = resolver
        self._twins = self.recorders[-2:]
        self._chatting = asyncio.Event()

    def _recruit(
        self,
        number: int,
        user_number: int,
        rooms: Sequence[str],
        nodes: Sequence[str],
        make_auth: MakeAuth,
    ) -> Recorder:
        user = f"user-{user_number}"
        chosen = [room for room in rooms[1:] if self._rng.random() < 0.5]
        return Recorder(
            f"client-{number}",
            user,
            auth=make_auth(user),
            nodes=nodes,
            rooms=[rooms[0], *chosen],
            rng=random.Random(self._rng.random()),  # noqa: S311 - repeatable
            transports=TRANSPORTS[number % len(TRANSPORTS)],
        )

    async def run(self) -> None:
        """Connect all clients, and let them chat once told, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for recorder in self.recorders:
                tasks.create_task(recorder.run(), name=recorder.client)
                tasks.create_task(self._chat(recorder), name=f"{recorder.client} chats")

    def start_chatting(self) -> None:
        """Send from now on."""
        self._chatting.set()

    def stop_chatting(self) -> None:
        """Send nothing new; what is in the outboxes still goes out."""
        self._chatting.clear()

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

    async def _chat(self, recorder: Recorder) -> None:
        rng = random.Random(f"{recorder.client} {self._rng.random()}")  # noqa: S311
        while True:
            await asyncio.sleep(rng.expovariate(1 / self._send_seconds))
            await self._chatting.wait()
            room = rng.choice(recorder.rooms)
            self._say(recorder, room, rng)
            if rng.random() < READ_SHARE:
                number = recorder.views[room].last_message - rng.choice((0, 0, 3))
                if number > 0:
                    await recorder.mark_read(room, number)
            if rng.random() < RECONNECT_SHARE:
                await recorder.reconnect()

    def _say(self, recorder: Recorder, room: str, rng: random.Random) -> None:
        self._sent += 1
        client_id = f"{recorder.client}-{self._sent}"
        recorder.send(room, client_id)
        if recorder in self._twins and rng.random() < TWICE_SHARE:
            for other in self._twins:
                if other is not recorder and room in other.rooms:
                    other.send(room, client_id)
