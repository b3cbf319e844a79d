"""People: what they are called, and what a client is told when it connects."""

import pytest

from tests.kit.nodes import Node
from tests.kit.recording import recording


@pytest.fixture
def auth() -> dict[str, str]:
    """In development mode the client says it; else the token has `name`, `picture`."""
    return {"user": "u-17", "name": "Ann Lee", "picture": "https://img.example/17"}


async def test_hello(node: Node, auth: dict[str, str]) -> None:
    """`hello` comes once: limits, requests, and whom the server takes one for."""
    async with recording(node, "u-17", auth) as client:
        hello = await client.next("hello")
    assert (hello["user"], hello["name"]) == ("u-17", "Ann Lee")
    assert hello["protocol"] == 2
    assert hello["limits"]["textCharacters"] == 4_000
    assert "send" in hello["features"]


async def test_names(node: Node, auth: dict[str, str]) -> None:
    """Events carry the name; `users` has names and pictures of a room's members."""
    async with recording(node, "u-17", auth) as client, recording(node, "bob") as bob:
        for each in (client, bob):
            await each.do("join", {"room": "42"})
        await client.do("typing", {"room": "42", "on": True})
        assert (await bob.next("typing"))["name"] == "Ann Lee"
        text = {"room": "42", "clientId": "1", "type": "text", "text": "Hello"}
        await client.do("send", text)
        message = await bob.next("message")
        assert (message["user"], message["name"]) == ("u-17", "Ann Lee")
        found = await bob.do("users", {"room": "42", "users": ["u-17", "bob", "eve"]})
        assert found["users"] == [
            {
                "user": "u-17",
                "name": "Ann Lee",
                "picture": "https://img.example/17",
            },
            # Who has no name is shown by id; who is no member is left out.
            {"user": "bob"},
        ]


async def test_who_has_not_read(node: Node) -> None:
    """`reads` counts the members below each message, in rooms of any size."""
    async with recording(node, "ann") as ann, recording(node, "bob") as bob:
        for each in (ann, bob):
            await each.do("join", {"room": "42"})
        text = {"room": "42", "clientId": "1", "type": "text", "text": "Hello"}
        await ann.do("send", text)
        asked = {"room": "42", "messages": [1]}
        assert (await ann.do("reads", asked))["counts"] == [1]
        await bob.do("mark_read", {"room": "42", "message": 1})
        assert (await ann.do("reads", asked))["counts"] == [0]
