"""The clients of a run: who they are, and what they do all the time."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

from realtime.errors import StartError
from schemas.people import USERS_AT_ONCE
from verify.client.client import Client
from verify.client.connection import Connection, LostError
from verify.client.operations import Chooser
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
# lower than before on purpose; both clients of one user use the same clientId.
BURST_SHARE, READ_SHARE, TWICE_SHARE = 0.05, 0.25, 0.1

# Requests that the server tells apart by their clientId.
TWICE = frozenset({"send", "edit"})

# For each message: how often a client connects anew; joins again over the same
# connection; begins anew without a cursor; reads the history.
RECONNECT_SHARE, JOIN_AGAIN_SHARE, START_OVER_SHARE = 0.01, 0.02, 0.005
LOOK_SHARE = 0.1

# How often somebody is looked for who was put out of a room and is to be added again.
ADD_SECONDS = 0.5

# Deadline of a request that makes a room; nothing is at fault yet.
MAKE_SECONDS = 10.0


class Crowd:
    """All clients of a run, the last two Python ones of one user.

    Attributes:
        clients: All of them.
        chatting: Whether they send; what is in their outboxes goes out in any case.

    Args:
        plan: How many there are, and what they do; by its seed.
        site: Where.
        rooms: Ids of the rooms; everybody attends the first one, half the others. The
            last one is private, and newcomers see none of its past. The first user owns
            them, the second one moderates.
        web_url: Where web clients connect.
    """

    def __init__(
        self, plan: Plan, site: Site, rooms: Sequence[str], web_url: str
    ) -> None:
        self._rng = random.Random(f"crowd {plan.seed}")  # noqa: S311 - repeatable
        self._rate, self._eagerness = plan.rate, plan.eagerness
        self._sent = 0
        self._all_rooms = tuple(rooms)
        self._private = rooms[-1]
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
        self._twins, self._staff = self.clients[-2:], self.clients[:2]
        staff = {client.user for client in self._staff}
        # Of web clients nobody knows when they were put out, so nobody does.
        self._others = [each for each in self.clients if each.user not in staff]
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
        # The owner is in all, to bring others back.
        if not self.clients:
            return [*self._all_rooms]
        others = [room for room in self._all_rooms[1:] if self._rng.random() < 0.5]
        return [self._all_rooms[0], *others]

    async def make_rooms(self, site: Site) -> None:
        """Make the rooms with their owner and moderator, over a connection of its own.

        Raises:
            StartError: They cannot be made.
        """
        owner, moderator = self._staff
        connection = Connection(connector=site.connector)

        async def ask(name: str, **payload: Any) -> None:
            ack = await connection.request(name, payload, seconds=MAKE_SECONDS)
            if not ack.get("ok"):
                raise StartError(f"The rooms cannot be made: {name}: {ack['error']}")

        try:
            await connection.open(site.places[0].url, owner.auth, ["websocket"])
            for room in self._all_rooms:
                made = {"room": room, "kind": "public", "clientId": room}
                await ask("room_create", **made)
                if moderator.user != owner.user:
                    new = {"users": [moderator.user], "role": "moderator"}
                    await ask("members_add", room=room, **new)
            await ask("room_set", room=self._private, private=True, history="joined")
            users = {each.user for each in self.clients if self._private in each.rooms}
            for at in range(0, len(users), USERS_AT_ONCE):
                some = sorted(users)[at : at + USERS_AT_ONCE]
                await ask("members_add", room=self._private, users=some)
        except LostError as error:
            raise StartError(f"The rooms cannot be made: {error}") from error
        finally:
            await connection.close()

    async def run(self) -> None:
        """Connect all clients, and let them chat once told, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._bring_back(), name="bring back")
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

    async def _bring_back(self) -> None:
        """Add those to the private room again who were put out of it, all the time."""
        owner, room = self._staff[0], self._private
        while True:
            await asyncio.sleep(ADD_SECONDS)
            for client in self._others:
                position = client.positions.get(room)
                if position and position.barred:
                    name = self._next_name(owner)
                    owner.ask(room, name, "members_add", users=[client.user])

    async def _chat(self, client: Client) -> None:
        rng = random.Random(f"{client.name} {self._rng.random()}")  # noqa: S311
        while True:
            await asyncio.sleep(rng.expovariate(self._rate))
            await self.chatting.wait()
            room = rng.choice(client.rooms)
            for _ in range(1 + BURST * (rng.random() < BURST_SHARE)):
                self._ask(client, room, rng, "send")
            position, is_owner = client.positions[room], client is self._staff[0]
            others = [each.user for each in self._others if room in each.rooms]
            chooser = Chooser(position, is_owner, others, self._eagerness, rng)
            for name, args in chooser.draw():
                self._ask(client, room, rng, name, **args)
            number = position.last_message
            if number and rng.random() < READ_SHARE:
                await client.mark_read(room, max(1, number - rng.choice((0, 0, 3))))
            if rng.random() < LOOK_SHARE:
                await client.look(room)
            await self._begin_again(client, room, rng.random())

    async def _begin_again(self, client: Client, room: str, chance: float) -> None:
        if chance < RECONNECT_SHARE:
            await client.reconnect()
        elif chance < RECONNECT_SHARE + JOIN_AGAIN_SHARE:
            client.join_again(room)
        elif chance < RECONNECT_SHARE + JOIN_AGAIN_SHARE + START_OVER_SHARE:
            await client.start_over()

    def _ask(
        self, client: Client, room: str, rng: random.Random, name: str, **args: Any
    ) -> None:
        operation = self._next_name(client)
        client.ask(room, operation, name, **args)
        if client in self._twins and name in TWICE and rng.random() < TWICE_SHARE:
            for other in self._twins:
                if other is not client and room in other.rooms:
                    other.ask(room, operation, name, **args)

    def _next_name(self, client: Client) -> str:
        self._sent += 1
        return f"{client.name}-{self._sent}"
