"""The clients of a run: who they are, and what they do all the time."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence

from verify.client.client import Client
from verify.client.python_client import PythonClient
from verify.client.web_client import WebClient
from verify.harness.site import Site
from verify.history import History
from verify.plan import Plan

# What clients in turn connect with: half of them WebSocket alone.
TRANSPORTS: tuple[tuple[str, ...], ...] = (
    ("websocket",),
    ("websocket",),
    ("polling", "websocket"),
    ("polling",),
)

# How many messages follow one at once, before its ack.
BURST = 3

# For each message: how often a burst follows; a message is marked as read, some of them
# lower than before on purpose; both clients of one user send the same clientId.
BURST_SHARE, READ_SHARE, TWICE_SHARE = 0.05, 0.25, 0.1

# For each message: how often a client connects anew; joins again over the same
# connection; begins anew without a cursor.
RECONNECT_SHARE, JOIN_AGAIN_SHARE, START_OVER_SHARE = 0.01, 0.02, 0.005


class Crowd:
    """All clients of a run, the last two Python ones of one user.

    Attributes:
        clients: All of them.
        chatting: Whether they send; what is in their outboxes goes out in any case.

    Args:
        plan: How many there are, and what they do; by its seed.
        site: Where.
        rooms: Ids of the rooms; everybody attends the first one, half the others.
        web_url: Where web clients connect.
    """

    def __init__(
        self, plan: Plan, site: Site, rooms: Sequence[str], web_url: str
    ) -> None:
        self._rng = random.Random(f"crowd {plan.seed}")  # noqa: S311 - repeatable
        self._rate = plan.rate
        self._sent = 0
        self._all_rooms = tuple(rooms)
        self.chatting = asyncio.Event()
        self.clients: list[Client] = []
        nodes = [place.url for place in site.places]
        for number in range(1, plan.clients + 1):
            # Each round has its own users: what is kept of one must not hide the next.
            user = f"user-{min(number, plan.clients - 1)}-{plan.seed}"
            client = PythonClient(
                f"client-{number}",
                user,
                plan.make_auth(user),
                self._choose_rooms(),
                random.Random(self._rng.random()),  # noqa: S311 - repeatable
                nodes=nodes,
                transports=TRANSPORTS[number % len(TRANSPORTS)],
                connector=site.connector,
            )
            self.clients.append(client)
        self._twins = self.clients[-2:]
        for number in range(1, (plan.web_clients or 0) + 1):
            user = f"web-user-{number}-{plan.seed}"
            web_client = WebClient(
                f"web-client-{number}",
                user,
                plan.make_auth(user),
                self._choose_rooms(),
                random.Random(self._rng.random()),  # noqa: S311 - repeatable
                url=web_url,
                ca=plan.ca,
            )
            self.clients.append(web_client)

    def _choose_rooms(self) -> list[str]:
        others = [room for room in self._all_rooms[1:] if self._rng.random() < 0.5]
        return [self._all_rooms[0], *others]

    async def run(self) -> None:
        """Connect all clients, and let them chat once told, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for client in self.clients:
                tasks.create_task(client.run(), name=client.name)
                tasks.create_task(self._chat(client), name=f"{client.name} chats")

    @property
    def histories(self) -> list[History]:
        """What each client wrote down."""
        return [client.history for client in self.clients]

    def attending(self, room: str) -> Counter[str]:
        """Return how many clients of each user attend a room, once all do."""
        here = [client for client in self.clients if room in client.rooms]
        return Counter(client.history.user for client in here)

    def unsettled(self) -> list[str]:
        """Return what is still to come, by client; empty when all have everything."""
        tops = dict.fromkeys(self._all_rooms, 0)
        for client in self.clients:
            for room, position in client.positions.items():
                tops[room] = max(tops[room], position.shown, position.acked)
        said = [(client.name, client.missing(tops)) for client in self.clients]
        return [f"{name}: {missing}" for name, missing in said if missing]

    async def _chat(self, client: Client) -> None:
        rng = random.Random(f"{client.name} {self._rng.random()}")  # noqa: S311
        while True:
            await asyncio.sleep(rng.expovariate(self._rate))
            await self.chatting.wait()
            room = rng.choice(client.rooms)
            for _ in range(1 + BURST * (rng.random() < BURST_SHARE)):
                self._say(client, room, rng)
            if rng.random() < READ_SHARE:
                number = client.positions[room].last_message - rng.choice((0, 0, 3))
                if number > 0:
                    await client.mark_read(room, number)
            if rng.random() < RECONNECT_SHARE:
                await client.reconnect()
            elif rng.random() < JOIN_AGAIN_SHARE:
                client.join_again(room)
            elif rng.random() < START_OVER_SHARE:
                await client.start_over()

    def _say(self, client: Client, room: str, rng: random.Random) -> None:
        self._sent += 1
        client_id = f"{client.name}-{self._sent}"
        client.send(room, client_id)
        if client in self._twins and rng.random() < TWICE_SHARE:
            for other in self._twins:
                if other is not client and room in other.rooms:
                    other.send(room, client_id)
