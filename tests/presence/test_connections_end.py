"""Connections that end at an awkward moment leave nothing behind."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from realtime.auth.authenticator import Authenticator, Identity
from realtime.errors import ForbiddenError
from realtime.rooms.joining import Joining
from tests.kit.logs import check_log
from tests.kit.nodes import Node, run_nodes
from tests.kit.raw_chat import raw_chat
from tests.kit.recording import recording
from tests.kit.waiting import wait_until


@pytest.fixture
async def node(redis_url: str, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Node]:
    """A node; after the test its log holds no error."""
    async with run_nodes(1, redis_url) as (node,):
        yield node
    check_log(caplog)


def sessions_of(node: Node) -> list[str]:
    return [session.user for session in node.services.sessions]


@pytest.mark.parametrize("cut", [False, True])
async def test_a_client_that_goes_while_it_is_authenticated(
    node: Node, monkeypatch: pytest.MonkeyPatch, cut: bool
) -> None:
    """The keys took their time, and nobody is there any more: no session begins."""
    asked, answer = asyncio.Event(), asyncio.Event()

    async def slow(_self: Authenticator, _auth: object) -> Identity:
        asked.set()
        await answer.wait()
        return Identity("eve", None, None, None)

    server = node.parts.server
    with monkeypatch.context() as patch:
        patch.setattr(Authenticator, "authenticate", slow)
        async with raw_chat(node) as eve:
            await eve.send('40/chat,{"user":"eve"}')
            await asked.wait()
            if cut:
                for eio_sid in list(server.environ):
                    server.eio.close(eio_sid)
        answer.set()
        await wait_until(lambda: not server.environ, "the connection is gone")
    async with recording(node, "ann") as ann:
        await ann.do("join", {"room": "42"})
        assert sessions_of(node) == ["ann"]
        assert len(server.manager.rooms["/chat"][None]) == 1


async def test_a_client_that_goes_while_it_joins(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is on nobody's list afterwards, and nothing is sent to it."""
    async with recording(node, "ann") as ann:
        await ann.do("join", {"room": "42"})
        for _ in range(20):
            async with raw_chat(node, {"user": "eve"}) as eve:
                await eve.send('42/chat,1["join",{"room":"42"}]')
                await eve.send(
                    '42/chat,2["sync",{"rooms":[{"room":"42"},{"room":"7"}]}]'
                )

        async def alone() -> bool:
            online: list[str] = (await ann.do("join", {"room": "42"}))["online"]
            return online == ["ann"]

        await wait_until(alone, "eve is off the list")
        await wait_until(lambda: sessions_of(node) == ["ann"], "her sessions are gone")


async def test_a_room_that_is_denied_does_not_deny_the_others(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sync` answers room by room."""
    join = Joining.join

    async def guarded(
        self: Joining, session: object, room: str, *asked: object
    ) -> object:
        if room == "secret":
            raise ForbiddenError("You are not a member of this room.")
        return await join(self, session, room, *asked)  # type: ignore[arg-type]

    monkeypatch.setattr(Joining, "join", guarded)
    async with recording(node, "ann") as ann:
        asked = [{"room": room} for room in ("1", "secret", "2")]
        first, denied, second = (await ann.do("sync", {"rooms": asked}))["rooms"]
        assert (first["ok"], first["room"], second["room"]) == (True, "1", "2")
        assert (denied["room"], denied["error"]["code"]) == ("secret", "forbidden")
        message = {"room": "2", "clientId": "1", "type": "text", "text": "hi"}
        await ann.do("send", message)
        assert await ann.next("message", room="2")
