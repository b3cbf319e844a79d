"""Moderation: the application looks at a message before anybody sees it."""

from collections.abc import AsyncIterator

import pytest

from tests.kit.hook_server import HookServer, hook_server
from tests.kit.nodes import Node, run_nodes
from tests.kit.recording import Payload, RecordingClient


@pytest.fixture
async def app() -> AsyncIterator[HookServer]:
    """The application: `CHATROOM_HOOK_URL` names its address."""
    async with hook_server() as server:
        yield server


@pytest.fixture
async def node(redis_url: str, app: HookServer) -> AsyncIterator[Node]:
    """A node that asks it."""
    async with run_nodes(1, redis_url, **app.settings) as (node,):
        yield node


async def test_the_application_decides(
    ann: RecordingClient, bob: RecordingClient, app: HookServer
) -> None:
    """It allows a message, denies it with a reason, or replaces what it says."""

    def decide(message: Payload) -> Payload:
        if "call me" in message["text"]:
            return {"action": "deny", "reason": "No phone numbers here."}
        if "darn" in message["text"]:
            return {"action": "replace", "text": message["text"].replace("darn", "-")}
        return {"action": "allow"}

    app.decide = decide
    for client in (ann, bob):
        await client.do("join", {"room": "42"})
    text = {"room": "42", "type": "text"}
    await ann.do("send", {**text, "clientId": "1", "text": "Hello"})
    error = await ann.refused("send", {**text, "clientId": "2", "text": "call me"})
    assert (error["code"], error["reason"]) == ("forbidden", "denied")
    assert error["message"] == "No phone numbers here."
    await ann.do("send", {**text, "clientId": "3", "text": "darn it"})
    seen = [(await bob.next("message"))["text"] for _ in range(2)]
    assert seen == ["Hello", "- it"]
