"""Rooms and their people over HTTP: by key and by token, beside sockets."""

from aiohttp import ClientSession

from schemas.api import API_REQUESTS
from schemas.catalog import REQUESTS
from schemas.routes import ROUTES
from tests.kit.backend import Backend, backend, user_token
from tests.kit.members import all_see, member
from tests.kit.nodes import Node

# What only makes sense on a connection.
OF_SOCKETS = {"join", "sync", "leave", "typing", "refresh", "me"}


def once(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


def test_each_request_has_a_route() -> None:
    """What a socket can ask, a backend can; none is forgotten."""
    routed = {route.request for route in ROUTES}
    assert routed == {*REQUESTS, *API_REQUESTS} - OF_SOCKETS


async def test_a_backend_drives_a_private_room(
    nodes: list[Node], http: ClientSession
) -> None:
    """Makes it, adds two, posts, renames, bans one: sockets see each step."""
    crm = await backend(http, nodes[0], "read", "write", "rooms", "moderate")
    asked = {"kind": "private", "name": "Order 7", "users": ["ann", "a/b"]}
    made = await crm.do("POST", "/chats", asked, **once("order-7"))
    again, same, _ = await crm.ask("POST", "/chats", asked, **once("order-7"))
    assert (again, same["room"], same["duplicate"]) == (200, made["room"], True)
    at = f"/chats/{made['room']}"
    async with (
        member(nodes[1], "ann", made["room"], token=user_token("ann")) as ann,
        member(nodes[0], "a/b", made["room"], token=user_token("a/b")) as ab,
    ):
        said = {"type": "system", "text": "Your order left."}
        await crm.do("POST", f"{at}/message", said, **once("left"))
        await all_see([ann, ab], ["Your order left."], made["room"])
        await crm.do("PATCH", at, {"name": "Order 7, sent", "data": {"id": 7}})
        assert (await ann.next("room_changed"))["by"] == "$crm"
        info = await crm.do("GET", at)
        assert (info["name"], info["data"], info["memberCount"]) == (
            "Order 7, sent",
            {"id": 7},
            2,
        )
        assert info["createdBy"] == "$crm"
        await crm.do("PUT", f"{at}/mutes/ann", {"muteSeconds": 60})
        assert (await ann.next("member_changed"))["user"] == "ann"
        await crm.do("DELETE", f"{at}/mutes/ann")
        await crm.do("PATCH", f"{at}/members/ann", {"role": "moderator"})
        await crm.do("PUT", f"{at}/bans/a%2Fb", {"reason": "spam"})
        await ab.next("membership_ended")
        listed = await crm.do("GET", f"{at}/members")
        assert [(one["user"], one["role"]) for one in listed["members"]] == [
            ("ann", "moderator")
        ]
        status, problem, _ = await crm.ask("PUT", f"{at}/members/a%2Fb")
        assert (status, problem["reason"]) == (403, "banned")
        await crm.do("DELETE", f"{at}/bans/a%2Fb")
        assert await crm.do("PUT", f"{at}/members/a%2Fb") == {"added": ["a/b"]}
        acts = [one["act"] for one in (await crm.do("GET", f"{at}/audit"))["acts"]]
        assert acts[:3] == ["member_joined", "member_unbanned", "member_left"]
        await crm.do("DELETE", at)
        await ann.next("room_deleted")
        for method, path, body in (
            ("GET", at, None),
            ("GET", f"{at}/messages", None),
            ("DELETE", at, None),
            ("PUT", f"{at}/members/bob", None),
            ("PUT", f"{at}/bans/bob", None),
            ("POST", f"{at}/invites", {}),
        ):
            status, problem, _ = await crm.ask(method, path, body)
            assert (status, problem["code"]) == (404, "not_found"), (method, path)


async def test_messages_are_read_edited_and_reacted_to(
    nodes: list[Node], http: ClientSession
) -> None:
    """By the user whose they are; a message is read as it is by now."""
    async with member(nodes[1], "ann", "42", token=user_token("ann")) as ann:
        asks = Backend(http, nodes[0], user_token("ann"))
        crm = await backend(http, nodes[0], "read", "write", "moderate")
        await asks.do("POST", "/chats/42/message", {"text": "helo"})
        await asks.do("PATCH", "/chats/42/messages/1", {"text": "hello"})
        await all_see([ann], ["helo"])
        await ann.next("message_edited")
        thumb = "/chats/42/messages/1/reactions/%F0%9F%91%8D"
        assert (await asks.do("PUT", thumb))["count"] == 1
        assert (await crm.do("PUT", thumb))["count"] == 2
        assert (await crm.do("PUT", thumb))["duplicate"] is True
        assert (await crm.do("DELETE", thumb))["count"] == 1
        await crm.do("PUT", "/chats/42/pins/1")
        assert (await ann.next("pin"))["by"] == "$crm"
        found = await crm.do("GET", "/chats/42/messages/1")
        assert (found["text"], found["edits"]) == ("hello", 1)
        assert found["reactions"] == {"👍": 1}
        status, problem, _ = await crm.ask(
            "PATCH", "/chats/42/messages/1", {"text": "x"}, **once("k")
        )
        assert (status, problem["reason"]) == (403, "author")
        await crm.do("DELETE", "/chats/42/messages/1?reason=off%20topic")
        gone = await asks.do("GET", "/chats/42/messages/1")
        assert gone["deleted"]["reason"] == "off topic"
        status, *_ = await asks.ask("GET", "/chats/42/messages/2")
        assert status == 404


async def test_a_room_of_a_key_is_the_key_s(
    nodes: list[Node], http: ClientSession
) -> None:
    """Without members it stays; whoever joins first does not own it."""
    crm = await backend(http, nodes[0], "read", "write", "rooms")
    await crm.do("POST", "/chats", {"kind": "public", "room": "news"}, **once("n"))
    await crm.do("POST", "/chats/news/message", {"text": "first"}, **once("1"))
    async with member(nodes[1], "ann", "news", token=user_token("ann")) as ann:
        assert ann.texts("news") == ["first"]
        assert (await crm.do("GET", "/chats/news/members"))["members"][0]["role"] == (
            "member"
        )
        await ann.do("quit", {"room": "news"})
    await crm.do("POST", "/chats/news/message", {"text": "second"}, **once("2"))
    page = await crm.do("GET", "/chats/news/messages")
    assert [one["text"] for one in page["messages"]] == ["first", "second"]
    redis = nodes[0].parts.redis
    ttl = await redis.call("TTL", "{chatroom-news}:messages")
    assert ttl == -1


async def test_a_key_makes_the_room_of_two(
    nodes: list[Node], http: ClientSession
) -> None:
    """The same one that either of them would."""
    crm = await backend(http, nodes[0], "rooms")
    two = {"kind": "direct", "users": ["bob", "ann"]}
    made = await crm.do("POST", "/chats", two, **once("x"))
    ann = Backend(http, nodes[1], user_token("ann"))
    status, same, _ = await ann.ask(
        "POST", "/chats", {"kind": "direct", "users": ["bob"]}
    )
    assert (status, same["room"]) == (200, made["room"])
    listed = await Backend(http, nodes[1], user_token("bob")).do("GET", "/me/chats")
    assert [one["room"] for one in listed["rooms"]] == [made["room"]]


async def test_an_invite_and_a_report(nodes: list[Node], http: ClientSession) -> None:
    """A key invites and reads reports; a member reports, a key cannot."""
    crm = await backend(http, nodes[0], "rooms", "moderate", "write")
    made = await crm.do("POST", "/chats", {"kind": "private"}, **once("r"))
    at = f"/chats/{made['room']}"
    status, invite, _ = await crm.ask("POST", f"{at}/invites", {"uses": 1})
    assert (status, invite["by"]) == (201, "$crm")
    assert (await crm.do("GET", f"{at}/invites"))["invites"] == [invite]
    async with member(nodes[1], "ann", token=user_token("ann")) as ann:
        assert await ann.do("join", {"room": made["room"], "invite": invite["invite"]})
        asks = Backend(http, nodes[1], user_token("ann"))
        await crm.do("POST", f"{at}/message", {"text": "buy"}, **once("m"))
        await asks.do("POST", f"{at}/reports", {"message": 1, "reason": "an ad"})
        (report,) = (await crm.do("GET", f"{at}/reports"))["reports"]
        assert (report["by"], report["copy"]["text"]) == ("ann", "buy")
        status, problem, _ = await crm.ask(
            "POST", f"{at}/reports", {"message": 1, "reason": "x"}
        )
        assert (status, problem["reason"]) == (403, "scope")
        status, problem, _ = await asks.ask("GET", f"{at}/audit")
        assert (status, problem["reason"]) == (403, "role")


async def test_who_asks_can_be_asked(nodes: list[Node], http: ClientSession) -> None:
    """A user by token, a key whatever its scopes, a key as a user."""
    ann = Backend(http, nodes[0], user_token("ann"))
    assert await ann.do("GET", "/me") == {"user": "ann", "name": None, "key": None}
    crm = await backend(http, nodes[0], "users:act", rooms="team-*")
    me = await crm.do("GET", "/me")
    assert (me["user"], me["key"]["rooms"]) == ("$crm", "team-*")
    me = await crm.do("GET", "/me", **{"X-Chat-User": "ann"})
    assert (me["user"], me["key"]["name"]) == ("ann", "crm")


async def test_a_key_for_some_rooms_learns_of_no_others(
    nodes: list[Node], http: ClientSession
) -> None:
    """Neither by a user's list nor by a room whose id is not in its pattern."""
    crm = await backend(http, nodes[0], "rooms", "users:act", rooms="team-*")
    status, problem, _ = await crm.ask("GET", "/me/chats", **{"X-Chat-User": "ann"})
    assert (status, problem["reason"]) == (403, "rooms")
    for asked in ({"kind": "private"}, {"kind": "public", "room": "other"}):
        status, problem, _ = await crm.ask("POST", "/chats", asked, **once("k"))
        assert (status, problem["reason"]) == (403, "rooms")
    asked = {"kind": "public", "room": "team-7"}
    assert (await crm.do("POST", "/chats", asked, **once("k")))["room"] == "team-7"


async def test_a_key_asks_nothing_that_it_cannot_repeat(
    nodes: list[Node], http: ClientSession
) -> None:
    """Without an Idempotency-Key its message is refused; a user's is not."""
    crm = await backend(http, nodes[0], "write")
    status, problem, _ = await crm.ask("POST", "/chats/42/message", {"text": "x"})
    assert (status, [*problem["fields"]]) == (400, ["Idempotency-Key"])


async def test_what_was_stored_is_the_answer_after_a_kick(
    nodes: list[Node], http: ClientSession
) -> None:
    """A repeat gets its first result, whoever the user is by then."""
    async with member(nodes[1], "ann", "42", token=user_token("ann")):
        bob = Backend(http, nodes[0], user_token("bob"))
        async with member(nodes[1], "bob", "42", token=user_token("bob")):
            sent = await bob.do("POST", "/chats/42/message", {"text": "x"}, **once("k"))
        crm = await backend(http, nodes[0], "moderate")
        await crm.do("DELETE", "/chats/42/members/bob")
        status, again, _ = await bob.ask(
            "POST", "/chats/42/message", {"text": "x"}, **once("k")
        )
        assert (status, again["message"]) == (200, sent["message"])
        status, *_ = await bob.ask("POST", "/chats/42/message", {"text": "y"})
        assert status == 403
