"""Who reads slowly, but reads: a long recovery in a room where others go on talking."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from realtime.engineio.websocket_writer import NO_SOCKET
from realtime.rooms.allowance import BEHIND_RETRY_MS
from tests.kit.members import Member, member
from tests.kit.nodes import NAMESPACE, Node, run_nodes
from tests.kit.raw_socket import RawSocket, raw_socket
from tests.kit.recording import Payload
from tests.kit.waiting import wait_until

PATH = "/socket.io/?EIO=4&transport=websocket"
# One answer holds all that was missed, which is more than the kernel holds for a
# connection.
BUFFER_BYTES = 8 * 1024 * 1024
TEXT = "ж" * 4_000
MISSED = 900


class Absent(NamedTuple):
    """Bob, who has missed much of room 42, where Ann goes on talking."""

    node: Node
    ann: Member
    bob: RawSocket
    sid: str
    cursor: str

    async def ask(self, number: int, event: str, payload: object) -> None:
        """Ask for what is long; return when some of the answer waits for Bob.

        He reads nothing for now: more waits for him than may as a rule.
        """
        self.send(number, event, payload)
        await wait_until(
            lambda: is_waited_for(self.node, self.sid), "the answer is on its way"
        )

    def send(self, number: int, event: str, payload: object) -> None:
        """Ask for anything."""
        self.bob.send(f"42{NAMESPACE},{number}{json.dumps([event, payload])}")

    async def answer(self, number: int) -> Payload:
        """Return an answer; what comes before it is left aside."""
        text = await frame_of(self.bob, f"43{NAMESPACE},{number}[")
        (ack,) = json.loads(text.partition(f",{number}")[2])
        assert isinstance(ack, dict)
        return ack


@pytest.fixture
async def absent(redis_url: str) -> AsyncIterator[Absent]:
    """Somebody who comes back after a long time, over a slow line."""
    async with (
        run_nodes(1, redis_url, write_buffer_bytes=BUFFER_BYTES) as (node,),
        member(node, "ann", "42") as ann,
        raw_socket(urlsplit(node.url).port or 0, PATH) as bob,
    ):
        first = await ann.send("first")
        for _ in range(MISSED // 100):
            await asyncio.gather(*(ann.send(TEXT) for _ in range(100)))
        sid = json.loads((await bob.text())[1:])["sid"]
        bob.send(f'40{NAMESPACE},{{"user":"bob"}}')
        await bob.text()
        yield Absent(node, ann, bob, sid, f"{first['offset']}:{first['uid']}")


async def test_a_long_recovery_in_a_busy_room(absent: Absent) -> None:
    """What is said while the answer is on its way waits behind it, and comes."""
    await absent.ask(1, "join", {"room": "42", "cursor": absent.cursor})
    live = [f"live {number}" for number in range(20)]
    for text in live:
        await absent.ann.send(text)
    ack = await absent.answer(1)
    assert ack["recovered"]
    assert len(ack["events"]) == MISSED
    heard: list[str] = []
    while len(heard) < len(live):
        event = await frame_of(absent.bob, f'42{NAMESPACE},["message",')
        heard.append(json.loads(event.partition(",")[2])[1]["text"])
    assert heard == live


@pytest.mark.parametrize("event", ["join", "sync"])
async def test_who_asks_for_much_twice_is_not_cut_off(
    absent: Absent, event: str
) -> None:
    """For more rooms, or again since it takes long: later, behind the first answers."""
    room = {"room": "42", "cursor": absent.cursor}
    await absent.ask(0, "join", room)
    absent.send(1, "join", room)
    line = absent.node.parts.server.eio.sockets[absent.sid]
    await wait_until(lambda: line.unsent_bytes > BUFFER_BYTES, "two answers wait")
    absent.send(2, event, room if event == "join" else {"rooms": [room]})
    limited = absent.node.parts.limited
    await wait_until(lambda: limited["write_buffer_bytes"], "there is no place for it")
    absent.send(3, "join", {"room": "43"})
    for number in (0, 1):
        assert len((await absent.answer(number))["events"]) == MISSED
    refused = await absent.answer(2)
    if event == "sync":
        (refused,) = refused["rooms"]
    assert refused["error"]["code"] == "unavailable"
    assert refused["error"]["retryAfter"] == BEHIND_RETRY_MS
    assert (await absent.answer(3))["ok"], "a short answer waits behind a long one"
    absent.send(4, "join", room)
    again = await absent.answer(4)
    assert again["recovered"]
    assert len(again["events"]) == MISSED


async def test_who_asks_for_many_pages_is_not_cut_off(absent: Absent) -> None:
    """Pages of history that nobody reads are refused at the bound, not the client."""
    await absent.ask(1, "join", {"room": "42", "cursor": absent.cursor})
    pages = range(2, 26)
    for number in pages:
        absent.send(number, "history", {"room": "42", "limit": 100})
    limited = absent.node.parts.limited
    await wait_until(lambda: limited["write_buffer_bytes"], "there is no more place")
    assert len((await absent.answer(1))["events"]) == MISSED
    answers = [await absent.answer(number) for number in pages]
    assert len(answers[0]["messages"]) == 100
    refused = [page["error"]["code"] for page in answers if not page["ok"]]
    assert set(refused) == {"unavailable"}


def is_waited_for(node: Node, sid: str) -> bool:
    """Return whether something waits at the node for this connection to read."""
    session = node.parts.server.eio.sockets[sid]
    return bool(session.upgraded and session.socket_number == NO_SOCKET)


async def frame_of(socket: RawSocket, prefix: str) -> str:
    """Return the next text that begins so; others are left aside."""
    while not (text := await socket.text()).startswith(prefix):
        pass
    return text
