"""Who reads slowly, but reads: a long recovery in a room where others go on talking."""

import asyncio
import json
from urllib.parse import urlsplit

from realtime.app import NODE
from realtime.engine.websocket import NO_SOCKET
from realtime.settings import MIB
from tests.engine.raw_socket import RawSocket, raw_socket
from tests.members import member
from tests.nodes import NAMESPACE, Node, run_nodes
from tests.waiting import wait_until

PATH = "/socket.io/?EIO=4&transport=websocket"
# Two bytes each: a hundred fill the bound of what may wait, and seven times as many
# also what the kernel holds for a connection.
TEXT = "ж" * 4_000
MISSED = 900


async def test_a_long_recovery_in_a_busy_room(redis_url: str) -> None:
    """What is said while the answer is on its way waits behind it, and comes."""
    async with (
        run_nodes(1, redis_url) as (node,),
        member(node, "ann", "42") as ann,
        raw_socket(urlsplit(node.url).port or 0, PATH) as bob,
    ):
        first = await ann.send("first")
        for _ in range(MISSED // 100):
            await asyncio.gather(*(ann.send(TEXT) for _ in range(100)))
        sid = json.loads((await bob.text())[1:])["sid"]
        bob.send(f'40{NAMESPACE},{{"user":"bob"}}')
        await bob.text()
        cursor = f"{first['offset']}:{first['uid']}"
        bob.send(f'42{NAMESPACE},1["join",{{"room":"42","cursor":"{cursor}"}}]')
        # Bob reads nothing for now: more waits for him than may as a rule.
        await wait_until(lambda: is_waited_for(node, sid), "the answer is on its way")
        live = [f"live {number}" for number in range(20)]
        for text in live:
            await ann.send(text)
        answer = await frame_of(bob, f"43{NAMESPACE},1[")
        assert len(answer) > MIB
        (ack,) = json.loads(answer.partition(",1")[2])
        assert ack["recovered"]
        assert len(ack["events"]) == MISSED
        heard: list[str] = []
        while len(heard) < len(live):
            event = await frame_of(bob, f'42{NAMESPACE},["message",')
            heard.append(json.loads(event.partition(",")[2])[1]["text"])
        assert heard == live


def is_waited_for(node: Node, sid: str) -> bool:
    """Return whether something waits at the node for this connection to read."""
    session = node.app[NODE].parts.server.eio.sockets[sid]
    return bool(session.upgraded and session.socket_number == NO_SOCKET)


async def frame_of(socket: RawSocket, prefix: str) -> str:
    """Return the next text that begins so; others are left aside."""
    while not (text := await socket.text()).startswith(prefix):
        pass
    return text
