"""The example of a backend does what it says, and as often as it is run."""

import asyncio
import json
import sys
import time

from realtime.auth.api_keys import new_key
from tests.kit.backend import SECRET
from tests.kit.javascript import ROOT
from tests.kit.members import member
from tests.kit.nodes import Node
from tests.kit.waiting import MS

RUN_SECONDS = 60_000 * MS


async def run(node: Node, key: str) -> dict[str, object]:
    """Run it, and return what it prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / "docs" / "examples" / "backend.py")),
        env={
            "CHATROOM_URL": node.url,
            "CHATROOM_JWT_SECRET": SECRET,
            "CHATROOM_KEY": key,
        },
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(RUN_SECONDS):
        said, _ = await process.communicate()
    assert process.returncode == 0
    found: dict[str, object] = json.loads(said)
    return found


async def test_it_opens_a_room_for_two(nodes: list[Node]) -> None:
    """Both get in by its tokens and read what the system said, once."""
    scopes = ("read", "write", "rooms", "moderate")
    key, text = new_key("shop", scopes=scopes, rooms="*", now=int(time.time()))
    await nodes[0].parts.api_keys.add(key)
    first = await run(nodes[0], text)
    again = await run(nodes[1], text)
    assert first["room"] == again["room"]
    room, tokens = str(first["room"]), first["tokens"]
    assert isinstance(tokens, dict)
    for user in ("ann", "bob"):
        async with member(nodes[1], user, room, token=tokens[user]) as one:
            assert one.texts(room) == ["Your order left the house."]
            assert one.seen[room][0]["user"] == "$shop"
