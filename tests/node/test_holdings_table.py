"""``docs/limits.md`` names every collection of a node: its bound and its end."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import socketio

from tests.kit.members import Member, members, text_of
from tests.kit.nodes import NAMESPACE, Node, run_nodes
from tests.kit.object_graph import collections_of
from tests.kit.pictures import picture
from tests.kit.waiting import wait_until

PAGE = Path(__file__).parents[2] / "docs" / "limits.md"
NOWHERE = "http://127.0.0.1:1/"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HELD_IN = re.compile(r"`([A-Z][A-Za-z]+\.[a-z_]+)`")


@asynccontextmanager
async def _polling(node: Node) -> AsyncIterator[None]:
    """Connect a client that stays with long polling."""
    sio = socketio.AsyncClient(reconnection=False)
    await sio.connect(
        node.url, namespaces=[NAMESPACE], auth={"user": "carol"}, transports=["polling"]
    )
    try:
        yield
    finally:
        await sio.shutdown()


def _rows() -> list[list[str]]:
    _, _, section = PAGE.read_text().partition("## Where it is held")
    return [
        [cell.strip() for cell in line.strip("|\n ").split(" | ")]
        for line in section.splitlines()
        if line.startswith("| `")
    ]


async def _use(node: Node, alice: Member, bob: Member) -> set[str]:
    """Use all that there is; return where collections were found meanwhile."""
    image = {"room": "42", "clientId": "1", "type": "image"}
    await alice.do("send", {**image, "image": picture("PNG", (20, 10))})
    await wait_until(lambda: node.parts.webhooks.held()["hook_events"], "it is told")
    found = set(collections_of(node.running))
    await bob.do("send", text_of("a text"))
    await bob.do("typing", {"room": "42", "on": True})
    await alice.do("mark_read", {"room": "42", "message": 1})
    await alice.do("me", {"list": True})
    found |= set(collections_of(node.running))
    joining = asyncio.create_task(bob.join("43"))
    while not joining.done():
        found |= set(collections_of(node.running))
        await asyncio.sleep(0)
    await bob.do("leave", {"room": "42"})
    await bob.do("quit", {"room": "42"})
    return found | set(collections_of(node.running))


async def test_every_collection_of_a_node_is_on_the_page(
    redis_url: str, tmp_path: Path
) -> None:
    """Whoever adds one says how much it may hold, and until when."""
    hooks = tmp_path / "hooks.toml"
    hooks.write_text(f'[[hook]]\nid = "app"\nurl = "{NOWHERE}"\nsecrets = ["{SECRET}"]')
    settings = {"data_dir": tmp_path, "hooks_file": hooks, "hook_allow": "127.0.0.1"}
    async with (
        run_nodes(1, redis_url, **settings) as (node,),
        members([node], ["alice", "bob"], "42") as (alice, bob),
        _polling(node),
    ):
        found = await _use(node, alice, bob)
    rows = _rows()
    assert all(len(row) == 4 and all(row) for row in rows)
    named = {name for row in rows for name in HELD_IN.findall(row[0])}
    assert found <= named, f"not on the page: {sorted(found - named)}"
    assert named <= found, f"there is none any more: {sorted(named - found)}"


def test_the_walk_finds_what_is_hidden() -> None:
    """In slots, behind functions and in what collections hold."""

    class Part:
        __slots__ = ("inner",)
        __module__ = "realtime.made"

        def __init__(self, inner: object) -> None:
            self.inner = inner

    leaf = Part({"kept": 1})
    root = Part(lambda: leaf)
    assert set(collections_of(root)) == {"Part.inner"}
    assert collections_of(Part([root]))["Part.inner"][-1] == {"kept": 1}
