"""A node works with the Redis user that SECURITY.md gives, and needs nothing more."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.hook_receiver import LOOPBACK, HookReceiver, hook_receiver
from tests.kit.nodes import NAMESPACE, client, run_nodes
from tests.kit.pictures import picture
from tests.kit.redis_server import RedisServer
from tests.kit.waiting import MS, wait_until

DOCUMENT = Path(__file__).parents[2] / "SECURITY.md"
PASSWORD = "for-this-test-only"
USES = "{chatroom:images}:of-a-node-that-ended.png:uses"


def documented_rules() -> list[str]:
    """Return the words of the documented ACL after ``user chatroom``."""
    block = re.search(r"```\nuser chatroom (.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert block is not None
    return block[1].replace("PASSWORD", PASSWORD).split()


def test_the_documented_user_can_be_pasted() -> None:
    """``redis.conf`` and ACL files take a user in one line, and refuse it in more."""
    block = re.search(r"```\nuser chatroom .*?```", DOCUMENT.read_text(), re.DOTALL)
    assert block is not None
    assert block[0].count("\n") == 2


@pytest.fixture
async def app() -> AsyncIterator[HookReceiver]:
    """An application that is told of rooms, and fails at messages."""
    async with hook_receiver() as receiver:
        receiver.decide = lambda event: 204 if event.type.startswith("room") else 500
        yield receiver


async def test_the_documented_user_suffices(
    redis_server: RedisServer, app: HookReceiver, tmp_path: Path
) -> None:
    """Everything a client can ask for works, on two nodes, and nothing is refused."""
    rules = documented_rules()
    redis_server.admin.execute_command("ACL", "SETUSER", "chatroom", "reset", *rules)
    redis_server.admin.execute_command("ACL", "LOG", "RESET")
    # A file whose message is to be looked for, and is not there.
    redis_server.admin.hset(USES, "42 c ann", "4096 0 1")
    name = USES.split(":")[2]
    redis_server.admin.zadd("{chatroom:images}:due", {name: 0})
    address = redis_server.url.replace("unix://", "unix://chatroom@")
    url = f"{address}?password={PASSWORD}"
    hooks = tmp_path / "hooks.toml"
    hooks.write_text(app.file(types=["message.*", "room.*", "push.due"]))
    settings: dict[str, Any] = {
        "hooks_file": hooks,
        "hook_allow": LOOPBACK,
        "lease_seconds": 500 * MS,
        "durability": "fsync",
        "image_sweep_seconds": 1,
    }
    try:
        async with (
            run_nodes(2, url, **settings) as (one, two),
            client(one, "ann") as ann,
            client(two, "bob") as bob,
        ):
            heard: asyncio.Queue[str] = asyncio.Queue()
            bob.on("message", lambda m: heard.put_nowait(m.get("text")), NAMESPACE)
            await bob.call("join", {"room": "42"}, namespace=NAMESPACE)
            for event, payload in (
                ("join", {"room": "42"}),
                (
                    "send",
                    {"room": "42", "clientId": "a", "type": "text", "text": "hello"},
                ),
                (
                    "send",
                    {
                        "room": "42",
                        "clientId": "b",
                        "type": "image",
                        "image": picture("PNG"),
                    },
                ),
                ("typing", {"room": "42", "on": True}),
                ("mark_read", {"room": "42", "message": 1}),
                ("history", {"room": "42"}),
                ("rooms", {}),
                ("sync", {"rooms": [{"room": "42", "cursor": "1:unknown"}]}),
                ("leave", {"room": "42"}),
                ("quit", {"room": "42"}),
            ):
                ack = await ann.call(event, payload, namespace=NAMESPACE)
                assert ack["ok"], (event, ack)
            made = await ann.call(
                "room_create", {"kind": "private", "clientId": "c"}, namespace=NAMESPACE
            )
            room = made["room"]
            ack = await ann.call("room_delete", {"room": room}, namespace=NAMESPACE)
            assert ack["ok"]
            await wait_until(lambda: app.of_type("room.deleted"), "its end is told")
            await wait_until(
                lambda: not redis_server.admin.exists(USES), "the file is given up"
            )
            async with asyncio.timeout(5_000 * MS):
                assert await heard.get() == "hello"
            node_id = one.parts.id
            first = redis_server.admin.zscore("chatroom:nodes", node_id)

            def renewed() -> bool:
                now = redis_server.admin.zscore("chatroom:nodes", node_id)
                return now != first

            await wait_until(renewed, "the lease is renewed")
        assert redis_server.admin.execute_command("ACL", "LOG") == []
    finally:
        redis_server.admin.execute_command("ACL", "DELUSER", "chatroom")
