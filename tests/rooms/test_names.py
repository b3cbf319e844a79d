"""Names: what a user's token says of them is what others see, at every node."""

from typing import Any

import pytest

from tests.kit.members import Member, member, text_of
from tests.kit.nodes import Node, run_nodes
from tests.kit.recording import recording
from tests.kit.redis_server import RedisServer
from tests.kit.waiting import wait_until

PICTURE = "https://img.example/ann.png"


async def known(client: Any, *users: str) -> list[dict[str, str]]:
    """Return what the members of room 42 are called."""
    found: list[dict[str, str]] = (
        await client.do("users", {"room": "42", "users": list(users)})
    )["users"]
    return found


async def test_messages_presence_and_typing_carry_the_name(
    three: list[Node],
) -> None:
    """Live, in the history and on joining, whatever node one is connected to."""
    async with (
        member(three[1], "bob", "42") as bob,
        member(three[0], "ann", "42", name="Ann \U0001f98a") as ann,
    ):
        came = await bob.next("presence", user="ann", online=True)
        await ann.do("typing", {"room": "42", "on": True})
        typing = await bob.next("typing")
        await ann.send("hi")
        live = await bob.next("message", text="hi")
        await bob.send("hello")
        kept = (await bob.do("history", {"room": "42"}))["messages"]
        async with member(three[2], "cleo", "42") as cleo:
            (first, second) = cleo.seen["42"]
    for each in (came, typing, live, kept[0], first):
        assert each["name"] == "Ann \U0001f98a"
    # Who has none is shown by id.
    assert "name" not in kept[1]
    assert "name" not in second


async def test_one_request_tells_the_names_of_members(three: list[Node]) -> None:
    """In the order asked; of who is no member, or does not exist, nothing is said."""
    async with (
        member(three[0], "ann", "42", name="Ann", picture=PICTURE) as _ann,
        member(three[1], "bob", "42") as bob,
        recording(three[1], "mallory", {"user": "mallory", "name": "M"}) as _mallory,
    ):
        asked = ("nobody", "bob", "mallory", "ann")
        assert await known(bob, *asked) == [
            {"user": "bob"},
            {"user": "ann", "name": "Ann", "picture": PICTURE},
        ]
        assert await known(bob) == []
        (first, second) = (await bob.do("members", {"room": "42"}))["members"]
        assert (first["name"], first["picture"]) == ("Ann", PICTURE)
        assert "name" not in second


async def test_a_new_name_counts_from_the_next_connect(three: list[Node]) -> None:
    """On another node too; older messages keep the name that they were sent under."""
    async with member(three[1], "bob", "42") as bob:
        async with member(three[0], "ann", "42", name="Ann") as ann:
            await ann.send("first")
        async with member(three[2], "ann", "42", name="Anna") as ann:
            await ann.send("second")
            assert await known(bob, "ann") == [{"user": "ann", "name": "Anna"}]
        async with member(three[0], "ann", "42") as ann:
            await ann.send("third")
            assert await known(bob, "ann") == [{"user": "ann"}]
        kept = (await bob.do("history", {"room": "42"}))["messages"]
        assert [each.get("name") for each in kept] == ["Ann", "Anna", None]


async def test_a_profile_outlives_the_connection_for_a_while(
    three: list[Node], redis_server: RedisServer
) -> None:
    """Who is away has a name; it goes half a year after their last connect."""
    async with member(three[0], "ann", "42", name="Ann"):
        pass
    async with member(three[1], "bob", "42") as bob:
        assert await known(bob, "ann") == [{"user": "ann", "name": "Ann"}]
    seconds = redis_server.admin.ttl("{user-ann}:profile")
    assert 179 * 24 * 3600 < seconds <= 180 * 24 * 3600


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"room": "42"}, "users"),
        ({"room": "42", "users": "ann"}, "users"),
        ({"room": "42", "users": ["ann", "ann"]}, "users.1"),
        ({"room": "42", "users": ["a\u0000"]}, "users.0"),
        ({"room": "42", "users": [f"u{n}" for n in range(101)]}, "users"),
        ({"users": ["ann"]}, "room"),
    ],
)
async def test_bad_lookups_are_refused(
    three: list[Node], payload: dict[str, object], field: str
) -> None:
    """By the name of the field."""
    async with member(three[0], "ann", "42") as ann:
        error = await ann.refused("users", payload)
    assert error["code"] == "invalid"
    assert field in error["fields"]


async def test_strangers_learn_no_names(three: list[Node]) -> None:
    """Of rooms that they are no members of, not even their own."""
    async with (
        member(three[0], "ann", "42", name="Ann"),
        member(three[1], "mallory", "other") as mallory,
    ):
        payload = {"room": "42", "users": ["ann", "mallory"]}
        assert (await mallory.refused("users", payload))["code"] == "forbidden"


async def test_names_wait_while_redis_is_away(
    redis_url: str, redis_server: RedisServer
) -> None:
    """A connect does not wait for it, and the name is there when Redis is back."""
    async with run_nodes(1, redis_url) as (node,), member(node, "bob", "42") as bob:
        redis_server.kill()
        async with recording(node, "ann", {"user": "ann", "name": "Ann"}):
            pass
        redis_server.start()
        await wait_until(
            lambda: redis_server.admin.exists("{user-ann}:profile"),
            "the profile is written",
        )
        assert not len(node.parts.profiles)
        del bob


async def test_a_reused_message_keeps_its_first_name(three: list[Node]) -> None:
    """A repeated send stores nothing: what was sent stays as it was."""

    async def send(name: str) -> Member:
        async with member(three[0], "ann", "42", name=name) as ann:
            await ann.do("send", text_of("hi", client_id="one"))
            await ann.do("send", text_of(name, client_id=name))
            await ann.next("message", clientId=name)
            return ann

    await send("Ann")
    last = await send("Anna")
    assert [(m["text"], m["name"]) for m in last.seen["42"]] == [
        ("hi", "Ann"),
        ("Ann", "Ann"),
        ("Anna", "Anna"),
    ]
