"""What an application does with users: ends their sessions, sees where they are."""

import time
from typing import Any

import jwt
import pytest
from aiohttp import ClientSession
from socketio.exceptions import ConnectionError as RefusedError

from realtime.store import keys
from tests.kit.backend import SECRET, Backend, backend, user_token
from tests.kit.members import member
from tests.kit.nodes import Node, connected
from tests.kit.waiting import wait_until


def token_of(user: str, **claims: Any) -> str:
    return jwt.encode({"sub": user, **claims}, SECRET, algorithm="HS256")


async def test_who_is_revoked_is_out_at_all_nodes(
    nodes: list[Node], http: ClientSession
) -> None:
    """On all devices; old tokens are refused everywhere, newer ones are good."""
    crm = await backend(http, nodes[0], "users")
    now = int(time.time())
    old, timeless = token_of("a/b", iat=now - 60), token_of("a/b")
    others = user_token("bob")
    async with (
        member(nodes[0], "a/b", "42", token=old) as one,
        member(nodes[1], "a/b", "42", token=timeless) as two,
        member(nodes[1], "bob", "42", token=others) as bob,
    ):
        revoked = await crm.do("POST", "/users/a%2Fb/revoke")
        for device in (one, two):
            await wait_until(
                lambda device=device: not device.sio.connected, "it is closed"
            )
            assert device.timeline[-1][0] == "token_expired"
        good_from = revoked["revokedBefore"]
        for node in nodes:
            for bad in (old, timeless, token_of("a/b", iat=good_from // 1000 - 1)):
                with pytest.raises(RefusedError):
                    async with connected(node, {"token": bad}):
                        pass
                status, problem, _ = await Backend(http, node, bad).ask("GET", "/me")
                assert (status, problem["reason"]) == (401, "token_revoked")
        assert (await bob.send("still here"))["ok"]
        # By clocks that are ahead by a little: one that is just made is good.
        newer = Backend(http, nodes[1], token_of("a/b", iat=good_from // 1000))
        assert (await newer.do("GET", "/me"))["user"] == "a/b"
        async with member(nodes[0], "a/b", token=token_of("a/b", iat=now + 9)) as back:
            assert (await back.join("42"))["ok"]
            error = (await back.ask("refresh", {"token": old}))["error"]
            assert error["reason"] == "token_revoked"
    ttl = await nodes[0].parts.redis.call("TTL", keys.REVOKED)
    assert 0 < ttl <= nodes[0].running.settings.revoked_seconds


async def test_a_node_that_starts_knows_who_was_revoked(
    nodes: list[Node], http: ClientSession
) -> None:
    """And a session that was there before its first look is ended by it."""
    crm = await backend(http, nodes[0], "users")
    async with member(nodes[1], "ann", "42", token=user_token("ann")) as ann:
        await nodes[1].parts.redis.call(
            "ZADD", keys.REVOKED, int(time.time()) + 5, "ann"
        )
        await wait_until(lambda: not ann.sio.connected, "another node's word is heard")
        await nodes[1].parts.redis.call("EXPIRE", keys.REVOKED, 60)
    assert (await crm.do("GET", "/users/ann/presence"))["online"] is False


async def test_where_a_user_is_can_be_read(
    nodes: list[Node], http: ClientSession
) -> None:
    """The rooms that they attend, at whatever node, and all that they belong to."""
    crm = await backend(http, nodes[0], "users")
    async with member(nodes[1], "ann", "42", "43", token=user_token("ann")) as ann:
        await ann.do("leave", {"room": "43"})
        await ann.send("hi")
        found = await crm.do("GET", "/users/ann/presence")
        assert found == {"online": True, "rooms": ["42"]}
        page = await crm.do("GET", "/users/ann/chats?limit=1")
        assert ([one["room"] for one in page["rooms"]], page["more"]) == (["42"], True)
        assert page["rooms"][0]["newest"]["text"] == "hi"
    assert await crm.do("GET", "/users/nobody/presence") == {
        "online": False,
        "rooms": [],
    }


async def test_a_key_for_some_rooms_touches_no_users(
    nodes: list[Node], http: ClientSession
) -> None:
    """They are in other rooms as well."""
    crm = await backend(http, nodes[0], "users", rooms="team-*")
    for method, path in (
        ("GET", "/users/ann/presence"),
        ("GET", "/users/ann/chats"),
        ("POST", "/users/ann/revoke"),
    ):
        status, problem, _ = await crm.ask(method, path)
        assert (status, problem["reason"]) == (403, "rooms")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/chats"), ("GET", "/presence"), ("POST", "/revoke")],
)
async def test_what_concerns_other_users_is_for_keys_with_their_scope(
    nodes: list[Node], http: ClientSession, method: str, path: str
) -> None:
    """Not for a user's token, and not for a key that acts as a user."""
    async with member(nodes[1], "ann", "42", token=user_token("ann")) as ann:
        eve = Backend(http, nodes[0], user_token("eve"))
        acting = await backend(http, nodes[0], "users:act")
        acting.headers["X-Chat-User"] = "eve"
        for asks in (eve, acting):
            status, said, _ = await asks.ask(method, f"/users/ann{path}")
            assert (status, said["code"], said["reason"]) == (403, "forbidden", "scope")
        await ann.send("still here")
