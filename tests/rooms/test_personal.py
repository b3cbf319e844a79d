"""A user's rooms, live on all of their devices, wherever these are connected."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from tests.kit.nodes import Node, run_nodes
from tests.kit.recording import RecordingClient, recording
from tests.kit.waiting import wait_until
from tests.rooms.unpublished import append_unpublished

LOGGED = ("room_added", "room_removed", "room_mine", "read_mine", "role", "block")


@pytest.fixture
async def phone(three: list[Node]) -> AsyncIterator[RecordingClient]:
    """Ann's phone, at the first node."""
    async with recording(three[0], "ann") as client:
        yield client


@pytest.fixture
async def laptop(three: list[Node]) -> AsyncIterator[RecordingClient]:
    """Ann's laptop, at the second node."""
    async with recording(three[1], "ann") as client:
        yield client


@pytest.fixture
async def bob(three: list[Node]) -> AsyncIterator[RecordingClient]:
    """Bob, at the third node."""
    async with recording(three[2], "bob") as client:
        yield client


async def say(client: RecordingClient, room: str, text: str) -> int:
    """Send a text, and return its number."""
    say_it = {"room": room, "clientId": text, "type": "text", "text": text}
    number: int = (await client.do("send", say_it))["message"]
    return number


def logged(client: RecordingClient) -> list[tuple[str, dict[str, Any]]]:
    """Return what a client heard of its user's log, in its order."""
    return [event for event in client.kept if event[0] in LOGGED]


async def heard(client: RecordingClient, offset: int) -> None:
    """Return when a client has heard of its user's log up to an offset."""
    await wait_until(
        lambda: any(payload["offset"] == offset for _, payload in logged(client)),
        f"the event {offset} arrives",
    )


async def test_two_devices_over_two_nodes_hear_the_same(
    phone: RecordingClient, laptop: RecordingClient, bob: RecordingClient
) -> None:
    """Rooms that come and go, settings and marks: one log, in one order."""
    for device in (phone, laptop):
        await device.do("me")
    for client in (phone, bob):
        await client.do("join", {"room": "a"})
    await say(bob, "a", "hi")
    await laptop.do("room_mine", {"room": "a", "muted": True, "push": "none"})
    await phone.do("mark_unread", {"room": "a", "on": True})
    await phone.do("mark_read", {"room": "a", "message": 1})
    await laptop.do("quit", {"room": "a"})
    for device in (phone, laptop):
        await heard(device, 6)
    assert logged(phone) == logged(laptop)
    offsets = [payload["offset"] for _, payload in logged(phone)]
    assert offsets == [1, 2, 3, 4, 5, 6]
    names = [name for name, _ in logged(phone)]
    assert names == [
        *("room_added", "room_mine", "room_mine", "room_mine", "read_mine"),
        "room_removed",
    ]
    _, mine, marked, read, mark, removed = [payload for _, payload in logged(phone)]
    assert (mine["muted"], mine["push"], mine["markedUnread"]) == (True, "none", False)
    assert (marked["muted"], marked["markedUnread"]) == (True, True)
    assert (read["muted"], read["markedUnread"]) == (True, False)
    assert (mark["room"], mark["lastReadMessage"]) == ("a", 1)
    assert removed["reason"] == "quit"


async def test_a_device_that_was_away_recovers(
    three: list[Node], phone: RecordingClient
) -> None:
    """With its cursor it gets exactly what was told meanwhile; without, nothing."""
    async with recording(three[1], "ann") as laptop:
        await phone.do("join", {"room": "a"})
        cursor = (await laptop.do("me"))["cursor"]
    await phone.do("join", {"room": "b"})
    await phone.do("room_mine", {"room": "b", "pinned": True})
    async with recording(three[2], "ann") as laptop:
        back = await laptop.do("me", {"cursor": cursor})
        assert back["recovered"] is True
        assert [name for name, _ in back["events"]] == ["room_added", "room_mine"]
        # It is told from there on.
        await phone.do("room_mine", {"room": "b", "pinned": False})
        assert (await laptop.next("room_mine"))["pinned"] is False
    async with recording(three[2], "ann") as laptop:
        anew = await laptop.do("me", {"list": True})
        assert (anew["recovered"], anew["events"]) == (False, [])
        assert {each["room"] for each in anew["rooms"]} == {"a", "b"}
        wrong = await laptop.do("me", {"cursor": "1:another-uid"})
        assert (wrong["recovered"], wrong["events"]) == (False, [])


async def test_what_was_not_told_is_told_at_the_next_me(
    three: list[Node], phone: RecordingClient, redis_client: Redis
) -> None:
    """A node died between a room's change and the user's log: both ways."""
    cursor = (await phone.do("me"))["cursor"]
    for room in ("kept", "lost"):
        await phone.do("join", {"room": room})
    # As if the word of one had never been, and another's membership had ended.
    await redis_client.hdel("{user-ann}:mine", "kept")
    await redis_client.hdel("{chatroom-lost}:members", "ann")
    await redis_client.zrem("{chatroom-lost}:lastRead", "ann")
    async with recording(three[1], "ann") as laptop:
        told = (await laptop.do("me", {"cursor": cursor, "list": True}))["rooms"]
        assert [each["room"] for each in told] == ["kept"]
        assert (await phone.next("room_removed"))["room"] == "lost"
        rooms = [(await phone.next("room_added"))["room"] for _ in range(3)]
        assert rooms == ["kept", "lost", "kept"]


async def test_rooms_of_before_are_not_told_of(
    phone: RecordingClient, redis_client: Redis
) -> None:
    """Whoever had rooms when there was no log yet is not flooded with them."""
    for room in ("a", "b", "c"):
        await phone.do("join", {"room": room})
    for key in ("log", "meta", "mine"):
        await redis_client.delete(f"{{user-ann}}:{key}")
    first = await phone.do("me", {"list": True})
    assert (first["cursor"], len(first["rooms"])) == ("0:", 3)
    await phone.do("join", {"room": "d"})
    assert (await phone.next("room_added"))["room"] == "d"
    assert logged(phone) == []


async def test_a_log_that_lost_its_past_is_said_to(
    phone: RecordingClient, redis_client: Redis
) -> None:
    """After a failover of Redis the devices list their rooms anew."""
    await phone.do("join", {"room": "a"})
    await phone.do("me")
    for pinned in (True, False):
        await phone.do("room_mine", {"room": "a", "pinned": pinned})
    await redis_client.delete("{user-ann}:log", "{user-ann}:meta")
    await phone.do("room_mine", {"room": "a", "archived": True})
    await phone.next("me_reload")
    phone.kept.clear()
    await phone.do("me")
    await phone.do("room_mine", {"room": "a", "archived": False})
    assert (await phone.next("room_mine", archived=False, offset=2))["pinned"] is False


async def test_news_of_rooms_that_no_device_attends(
    phone: RecordingClient, laptop: RecordingClient, bob: RecordingClient
) -> None:
    """Who looks at the list learns of what is written in its rooms, and by whom."""
    await laptop.do("join", {"room": "a"})
    await bob.do("join", {"room": "a"})
    for device in (phone, laptop):
        await device.do("me")
    await say(bob, "a", "hi")
    (news,) = (await phone.next("rooms_changed"))["rooms"]
    assert (news["room"], news["lastMessage"], news["newest"]["text"]) == ("a", 1, "hi")
    # A message of one's own counts as read.
    await say(laptop, "a", "hello")
    (news,) = (await phone.next("rooms_changed"))["rooms"]
    assert (news["lastMessage"], news["lastReadMessage"]) == (2, 2)
    # Of a room that a session attends it hears by the room's own events.
    assert not [name for name, _ in laptop.kept if name == "rooms_changed"]


async def test_news_end_with_the_membership(
    phone: RecordingClient, laptop: RecordingClient, bob: RecordingClient
) -> None:
    """A room that was left on another device is not told of any more."""
    for room in ("left", "kept"):
        await laptop.do("join", {"room": room})
        await bob.do("join", {"room": room})
    await phone.do("me")
    await laptop.do("quit", {"room": "left"})
    assert (await phone.next("room_removed"))["room"] == "left"
    await say(bob, "left", "secret")
    await say(bob, "kept", "hi")
    news = (await phone.next("rooms_changed"))["rooms"]
    assert [each["room"] for each in news] == ["kept"]


async def test_a_room_that_comes_later_is_watched(
    phone: RecordingClient, laptop: RecordingClient, bob: RecordingClient
) -> None:
    """On the phone too, which heard of it by the user's log."""
    await phone.do("me")
    for client in (laptop, bob):
        await client.do("join", {"room": "new"})
    assert (await phone.next("room_added"))["room"] == "new"
    await say(bob, "new", "hi")
    (news,) = (await phone.next("rooms_changed"))["rooms"]
    assert news["newest"]["text"] == "hi"


async def test_news_that_pubsub_lost_are_found(
    three: list[Node], phone: RecordingClient, laptop: RecordingClient
) -> None:
    """A publication that never came: the rooms are compared with their logs."""
    await laptop.do("join", {"room": "42"})
    await say(laptop, "42", "before")
    await phone.do("me")
    await append_unpublished(three[2], "unheard")
    (news,) = (await phone.next("rooms_changed"))["rooms"]
    assert (news["lastMessage"], news["newest"]["text"]) == (2, "unheard")


async def test_a_node_watches_no_more_rooms_than_it_may(redis_url: str) -> None:
    """The answer says how many are not: their news come when the rooms are listed."""
    async with run_nodes(1, redis_url, node_watched_rooms=2) as (node,):
        async with recording(node, "ann") as ann, recording(node, "bob") as bob:
            for room in ("a", "b", "c"):
                await ann.do("join", {"room": room})
            assert (await ann.do("me"))["unwatched"] == 1
            await bob.do("join", {"room": "d"})
            assert (await bob.do("me"))["unwatched"] == 1
            held = node.parts.personal.held()
            assert (held["watched_rooms"], held["watched_pairs"]) == (2, 2)
        assert node.parts.limited["node_watched_rooms"] == 2


async def test_who_is_gone_leaves_nothing(three: list[Node]) -> None:
    """Neither a feed nor a watched room, in whatever order it came."""
    node = three[0]
    before = node.parts.personal.held()
    async with recording(node, "ann") as ann:
        for room in ("a", "b"):
            await ann.do("join", {"room": room})
        for _ in range(2):
            await ann.do("me", {"list": True})
        assert node.parts.personal.held() != before
    await wait_until(
        lambda: node.parts.personal.held() == before, "all of it is given back"
    )


async def test_settings_are_for_members_and_of_the_user_alone(
    phone: RecordingClient, bob: RecordingClient
) -> None:
    """Who is no member has none; those of one user are not another's."""
    await phone.do("join", {"room": "a"})
    for event, more in (("room_mine", {"muted": True}), ("mark_unread", {"on": True})):
        refusal = await bob.refused(event, {"room": "a", **more})
        assert refusal["code"] == "forbidden"
    await bob.do("join", {"room": "a"})
    ack = await bob.do("room_mine", {"room": "a", "muted": True, "push": "mentions"})
    assert {**ack} == {
        "ok": True,
        "room": "a",
        "muted": True,
        "pinned": False,
        "archived": False,
        "markedUnread": False,
        "push": "mentions",
    }
    (hers,) = (await phone.do("rooms"))["rooms"]
    assert (hers["muted"], hers["push"]) == (False, "all")
