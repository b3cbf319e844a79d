"""Members of rooms, who keep what a person would see: the tests' view of the promises.

A member's view of a room is what its join acks and live events make of it. However the
room was reached, it must be a part of the room's log: in order, without a hole, each
event once.
"""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import socketio

from schemas.broadcasts import LOG_EVENTS
from schemas.catalog import REQUESTS
from tests.kit.message_state import apply_change, apply_pin
from tests.kit.nodes import NAMESPACE, Node, NodeProcess, connected
from tests.kit.recording import Payload, RecordingClient
from tests.kit.waiting import DEADLINE_SECONDS, wait_until

_client_ids = itertools.count(1)


class Member(RecordingClient):
    """A recording client that keeps its view of each room.

    Attributes:
        timeline: Names of what arrived, in order; the ack of a join is ``join``.
        seen: The messages shown, by room, in order, as they are by now.
        pins: Numbers of the pinned messages, by room.
        cursors: The last event that was taken, by room.
        faults: What a person would have noticed: holes, doubles, wrong order.
    """

    def __init__(self, sio: socketio.AsyncClient, user: str) -> None:
        super().__init__(sio, user)
        self.timeline: list[tuple[str, Payload]] = []
        self.seen: dict[str, list[Payload]] = defaultdict(list)
        self.pins: dict[str, list[int]] = defaultdict(list)
        self.cursors: dict[str, str] = {}
        self.faults: list[str] = []

    async def join(self, room: str = "42", cursor: str | None = None) -> Payload:
        """Join, or join again; the ack is taken into the view where it arrives.

        Whoever missed more than one answer holds joins until that is all; the last
        answer is returned.
        """
        payload = {"room": room} if cursor is None else {"room": room, "cursor": cursor}
        while (answer := await self.joined("join", payload)).get("more"):
            payload["cursor"] = answer["cursor"]
        return answer

    async def sync(self, *rooms: Payload) -> Sequence[Payload]:
        """Join several rooms at once; return the answers, one a room."""
        found: Sequence[Payload] = (await self.joined("sync", {"rooms": list(rooms)}))[
            "rooms"
        ]
        return found

    async def joined(self, event: str, payload: Payload) -> Payload:
        """Join once, by `join` or `sync`; what is answered is taken into the view."""
        done: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()

        def acked(answer: Payload) -> None:
            self.timeline.append((event, answer))
            for each in answer["rooms"] if event == "sync" else [answer]:
                if each["ok"]:
                    self._take_join(each)
            done.set_result(answer)

        await self.sio.emit(event, payload, namespace=NAMESPACE, callback=acked)
        async with asyncio.timeout(DEADLINE_SECONDS):
            answer = await done
        if answer["ok"]:
            REQUESTS[event].ack.load(answer)
        return answer

    async def send(
        self, text: str, room: str = "42", client_id: str | None = None
    ) -> Payload:
        """Send a text that is to be accepted; return the ack."""
        return await self.do("send", text_of(text, room, client_id))

    def texts(self, room: str = "42") -> list[str]:
        """Return the texts shown in a room, in order."""
        return [message["text"] for message in self.seen[room]]

    def _take_join(self, ack: Payload) -> None:
        room = ack["room"]
        if not ack["recovered"]:
            self.seen[room].clear()
            self.cursors.pop(room, None)
        for name, payload in ack["events"]:
            self._take(room, name, payload, has_holes=not ack["recovered"])
        is_told = ack["recovered"] and ack["events"]
        if is_told and self.cursors[room] != ack["cursor"]:
            self.faults.append(f"the ack's cursor is not its last event's: {ack}")
        self.cursors[room] = ack["cursor"]
        if not ack.get("more"):
            self.pins[room] = list(ack["pins"])

    def _take(
        self, room: str, name: str, event: Payload, *, has_holes: bool = False
    ) -> None:
        """Take an event of the log into the view of a room.

        Between messages of a newest page the log may hold other events.
        """
        before = self.cursors.get(room)
        if before is not None and not has_holes:
            last = int(before.split(":")[0])
            if event["offset"] != last + 1:
                self.faults.append(f"after {last} came {event['offset']}")
        self.cursors[room] = f"{event['offset']}:{event['uid']}"
        if name == "message":
            self.seen[room].append(event)
        else:
            apply_change(self.seen[room], name, event)
            apply_pin(self.pins[room], name, event)

    async def receive(self, event: str, *arguments: Any) -> None:
        """Take a broadcast into the view."""
        await super().receive(event, *arguments)
        payload = arguments[0] if arguments else {}
        self.timeline.append((event, payload))
        if event in LOG_EVENTS:
            self._take(payload["room"], event, payload)
        elif event == "reload":
            # What was shown may be no part of the log any more.
            self.seen[payload["room"]].clear()
            self.cursors.pop(payload["room"], None)


def text_of(text: str, room: str = "42", client_id: str | None = None) -> Payload:
    """Return the payload of ``send``, under a clientId of its own unless given."""
    client_id = client_id or f"c{next(_client_ids)}"
    return {"room": room, "clientId": client_id, "type": "text", "text": text}


@asynccontextmanager
async def member(
    node: Node | NodeProcess, user: str, *rooms: str, **auth: str
) -> AsyncIterator[Member]:
    """Connect a member to a node, in the rooms given; whatever it notices fails.

    Args:
        node: Where to connect.
        user: The name, taken in development mode.
        rooms: Joined one after the other.
        auth: More of what the client authenticates with.
    """
    async with connected(node, {"user": user, **auth}) as sio:
        made = Member(sio, user)
        for room in rooms:
            ack = await made.join(room)
            assert ack["ok"], ack
        yield made
        assert not made.problems, made.problems
        assert not made.faults, f"{user}: {made.faults}"


@asynccontextmanager
async def members(
    nodes: Sequence[Node | NodeProcess], users: Iterable[str], *rooms: str
) -> AsyncIterator[list[Member]]:
    """Connect members, spread over the nodes in turn."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                member(nodes[number % len(nodes)], user, *rooms)
            )
            for number, user in enumerate(users)
        ]


async def all_see(
    views: Iterable[Member], expected: Sequence[str], room: str = "42"
) -> None:
    """Return when everybody's view of a room is exactly this; fail if it never is."""
    for view in views:
        await wait_until(
            lambda view=view: len(view.texts(room)) >= len(expected),
            f"{view.user} sees {len(expected)} messages",
        )
        assert view.texts(room) == list(expected), view.user
