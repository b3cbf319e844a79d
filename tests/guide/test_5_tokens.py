"""Tokens: prove who you are, and stay connected when a token ends."""

import time
from collections.abc import AsyncIterator

import jwt
import pytest
import socketio

from realtime.auth.authenticator import make_token
from realtime.auth.tokens import LEEWAY_SECONDS
from tests.kit.nodes import NAMESPACE, Node, run_nodes
from tests.kit.recording import recording
from tests.kit.waiting import DEADLINE_SECONDS, wait_until

SECRET = "a secret of the tests, thirty-two bytes long"


@pytest.fixture
async def node(redis_url: str) -> AsyncIterator[Node]:
    """A node that demands tokens."""
    async with run_nodes(1, redis_url, jwt_secret=SECRET) as (node,):
        yield node


def nearly_expired(user: str) -> str:
    """Return a token that keeps a session for four or five more seconds."""
    ends = int(time.time()) - LEEWAY_SECONDS + 5
    return jwt.encode({"sub": user, "exp": ends}, SECRET, algorithm="HS256")


async def test_connect_with_a_token(node: Node) -> None:
    """The token's `sub` is the user; nothing else that the client says counts."""
    auth = {"token": make_token("ann", secret=SECRET), "user": "bob"}
    async with recording(node, "ann", auth) as ann:
        assert (await ann.do("join", {"room": "42"}))["online"] == ["ann"]


async def test_a_refusal_says_why(node: Node) -> None:
    """`connect_error` has data with a code, and a reason that a program can act on."""
    expired = jwt.encode({"sub": "ann", "exp": 1}, SECRET, algorithm="HS256")
    for auth, reason in (
        (None, "token_missing"),
        ({"token": expired}, "token_expired"),
        ({"token": "junk"}, "token_invalid"),
    ):
        client = socketio.AsyncClient(reconnection=False)
        refusals: list[dict[str, dict[str, str]]] = []
        client.on("connect_error", refusals.append, namespace=NAMESPACE)
        with pytest.raises(socketio.exceptions.ConnectionError):
            await client.connect(
                node.url,
                auth=auth,
                namespaces=[NAMESPACE],
                wait_timeout=DEADLINE_SECONDS,
            )
        (refusal,) = refusals
        assert refusal["data"]["code"] == "unauthorized"
        assert refusal["data"]["reason"] == reason


async def test_a_session_is_told_that_its_token_has_expired(node: Node) -> None:
    """`token_expired`, then a disconnect: clients do not come back by themselves."""
    async with recording(node, "ann", {"token": nearly_expired("ann")}) as ann:
        told = await ann.next("token_expired")
        assert told["code"] == "unauthorized"
        await wait_until(lambda: not ann.sio.connected, "the session is closed")


async def test_refresh_keeps_a_session(node: Node) -> None:
    """A new token of the same user renews the session; another user's does not."""
    async with recording(node, "ann", {"token": nearly_expired("ann")}) as ann:
        new = make_token("ann", secret=SECRET, lifetime_seconds=60)
        ack = await ann.do("refresh", {"token": new})
        assert ack["expiresAt"] == pytest.approx(
            (time.time() + 60 + LEEWAY_SECONDS) * 1000, abs=5_000
        )
        other = make_token("bob", secret=SECRET)
        assert (await ann.refused("refresh", {"token": other}))[
            "code"
        ] == "unauthorized"
        async with recording(node, "bob", {"token": nearly_expired("bob")}) as bob:
            await bob.next("token_expired")
        assert await ann.do("rooms"), "the old expiry passed without notice"
