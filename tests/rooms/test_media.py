"""``media``: the messages of a room that show images, the newest first."""

from typing import Any

import pytest
from redis import Redis

from realtime.store import keys, room_media
from tests.kit.members import Member, member, text_of
from tests.kit.nodes import Node, run_nodes
from tests.kit.pictures import picture
from tests.kit.redis_server import RedisServer

ROOM = "42"
URL = f"/images/{'a' * 64}.png?expires=1&signature=x"
IMAGE = f'{{"url":"{URL}","mime":"image/png","size":1,"width":1,"height":1}}'


async def show(client: Member, client_id: str, room: str = ROOM) -> int:
    """Send an image and return its message's number."""
    head = {"room": room, "clientId": client_id, "type": "image"}
    number: int = (await client.do("send", {**head, "image": picture("PNG")}))[
        "message"
    ]
    return number


async def page(client: Member, room: str = ROOM, **asked: int) -> tuple[Any, bool]:
    """Return the numbers of a page, and whether there are older ones."""
    ack = await client.do("media", {"room": room, **asked})
    return [each["message"] for each in ack["messages"]], ack["more"]


async def test_page_by_page_at_every_node(three: list[Node]) -> None:
    """Images sent at one node are found at the others, texts between them are not."""
    async with (
        member(three[0], "ann", ROOM) as ann,
        member(three[1], "bob", ROOM) as bob,
        member(three[2], "cleo", ROOM) as cleo,
    ):
        assert await page(cleo) == ([], False)
        for number in range(5):
            await show([ann, bob][number % 2], f"i{number}")
            await ann.send(f"text {number}")
        for client in (ann, bob, cleo):
            assert await page(client) == ([9, 7, 5, 3, 1], False)
            assert await page(client, limit=2) == ([9, 7], True)
            assert await page(client, limit=2, before=7) == ([5, 3], True)
            assert await page(client, limit=2, before=3) == ([1], False)
            assert await page(client, before=1) == ([], False)
            assert await page(client, before=2**50, limit=5) == ([9, 7, 5, 3, 1], False)


async def test_what_is_shown_is_as_it_is_now(three: list[Node]) -> None:
    """With captions and reactions of now; a deleted message is not shown."""
    async with member(three[0], "ann", ROOM) as ann, member(three[1], "bob", ROOM) as b:
        first, second = await show(ann, "1"), await show(ann, "2")
        edit = {"room": ROOM, "message": first, "clientId": "e", "text": "caption"}
        await ann.do("edit", edit)
        await b.do("react", {"room": ROOM, "message": first, "key": "+1", "on": True})
        await ann.do("delete", {"room": ROOM, "message": second})
        (shown,) = (await b.do("media", {"room": ROOM}))["messages"]
        assert (shown["text"], shown["reactions"]) == ("caption", {"+1": 1})
        page_of = await b.do("history", {"room": ROOM})
        assert shown["rev"] == page_of["messages"][0]["rev"]


async def test_newcomers_see_none_from_before(three: list[Node]) -> None:
    """Where the room's history is for who was there."""
    made = {"kind": "public", "clientId": "c", "history": "joined"}
    async with member(three[0], "ann") as ann, member(three[1], "bob") as bob:
        room = (await ann.do("room_create", made))["room"]
        await ann.join(room)
        await show(ann, "1", room)
        await bob.join(room)
        second = await show(ann, "2", room)
        assert await page(bob, room) == ([second], False)
        assert await page(bob, room, before=second) == ([], False)
        assert await page(ann, room) == ([second, 1], False)


async def test_members_only(three: list[Node]) -> None:
    """Neither a stranger nor who has quit."""
    async with member(three[0], "ann", ROOM) as ann, member(three[1], "mallory") as m:
        await show(ann, "1")
        assert (await m.refused("media", {"room": ROOM}))["code"] == "forbidden"
        await ann.do("quit", {"room": ROOM})
        assert (await ann.refused("media", {"room": ROOM}))["code"] == "forbidden"


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"before": 0}, "before"),
        ({"before": "1"}, "before"),
        ({"limit": 0}, "limit"),
        ({"limit": 1.5}, "limit"),
        ({"after": 1}, "after"),
        ({"room": "a b"}, "room"),
    ],
)
async def test_what_cannot_be_asked_for(
    three: list[Node], asked: dict[str, Any], field: str
) -> None:
    """It is refused by its field."""
    async with member(three[0], "ann", ROOM) as ann:
        error = await ann.refused("media", {"room": ROOM, **asked})
    assert (error["code"], [*error["fields"]]) == ("invalid", [field])


async def test_a_long_page_ends_early(
    redis_url: str, redis_server: RedisServer
) -> None:
    """An answer is held to the write buffer; the rest comes with the next page."""
    async with run_nodes(1, redis_url, write_buffer_bytes=65_536) as (node,):
        fill(redis_server.admin, 60, range(1, 61), text="x" * 3_000)
        async with member(node, "ann", ROOM) as ann:
            numbers, more = await page(ann, limit=60)
            assert (len(numbers) < 30, more) == (True, True)
            found = numbers
            while more:
                numbers, more = await page(ann, before=found[-1])
                found += numbers
    assert found == [*range(60, 0, -1)]


async def test_what_left_the_history_is_not_listed(
    redis_url: str, redis_client: Any
) -> None:
    """Nothing of it is kept for long: it goes with the next image."""
    async with (
        run_nodes(1, redis_url, history_messages=100) as (node,),
        member(node, "ann", ROOM) as ann,
    ):
        for number in range(3):
            await show(ann, f"i{number}")
        for number in range(99):
            await ann.do("send", text_of("x", ROOM, f"t{number}"))
        assert await page(ann) == ([3], False)
        last = await show(ann, "last")
        assert await page(ann) == ([last], False)
        assert await redis_client.zrange(keys.media(ROOM), 0, -1) == [str(last)]


async def test_a_deleted_room_begins_anew(three: list[Node], redis_client: Any) -> None:
    """Its list is gone with it, and ends with its last member."""
    async with member(three[0], "ann") as ann:
        made = {"kind": "private", "clientId": "c"}
        room = (await ann.do("room_create", made))["room"]
        await ann.join(room)
        await show(ann, "1", room)
        assert await redis_client.exists(keys.media(room))
        await ann.do("room_delete", {"room": room})
        assert not await redis_client.exists(keys.media(room))
        await ann.join(ROOM)
        await show(ann, "2")
        await ann.do("quit", {"room": ROOM})
        assert await redis_client.ttl(keys.media(ROOM)) > 0
        await ann.join(ROOM)
        assert await redis_client.ttl(keys.media(ROOM)) == -1


# Rooms of an earlier version, which kept no list.


def fill(redis: Redis, count: int, images: Any, *, text: str = "x") -> None:
    """Write messages as an earlier version left them, some of them with an image.

    The others look like it, in what an application attached to them.
    """
    head = '{{"offset":{0},"uid":"u{0}","message":{0},"room":"42","user":"ann",'
    tail = ',"clientId":"c{0}","at":{0}}}'
    image = f'"type":"image","text":"{text}","image":{IMAGE}'
    other = '"type":"text","text":"x","data":{"type":"image","n":1}'
    shown = set(images)
    states: dict[Any, Any] = {
        str(n): head.format(n) + (image if n in shown else other) + tail.format(n)
        for n in range(1, count + 1)
    }
    redis.hset(keys.messages(ROOM), mapping=states)
    top: dict[Any, Any] = {"offset": count, "uid": "u", "lastMessage": count}
    redis.hset(keys.meta(ROOM), mapping=top)


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look through ten messages a call, through thirty a request."""
    monkeypatch.setattr(room_media, "STEP", 10)
    monkeypatch.setattr(room_media, "STEPS", 3)


@pytest.mark.usefixtures("small_steps")
async def test_a_room_of_before_is_looked_through_in_steps(
    three: list[Node], redis_server: RedisServer
) -> None:
    """A request goes as far as it may, the next one on from there; none is missed."""
    fill(redis_server.admin, 100, [1, 2, 45, 46, 47, 98])
    async with member(three[0], "ann", ROOM) as ann, member(three[1], "bob", ROOM) as b:
        new = await show(ann, "new")
        assert await page(b, limit=1) == ([new], True)
        assert await page(b, limit=2) == ([new, 98], True)
        assert await page(ann, limit=4, before=98) == ([47, 46, 45], True)
        asked, found, before = 0, [], 200
        while asked < 20:
            asked += 1
            numbers, more = await page(b, limit=2, before=before)
            found += numbers
            before = found[-1] if found else before
            if not more:
                break
        assert found == [new, 98, 47, 46, 45, 2, 1]
        assert await page(ann) == (found, False)


@pytest.mark.usefixtures("small_steps")
async def test_what_was_looked_through_once_is_not_again(
    three: list[Node], redis_server: RedisServer
) -> None:
    """Also where the room's head was lost meanwhile, which is then done anew."""
    fill(redis_server.admin, 40, [5, 35])
    async with member(three[0], "ann", ROOM) as ann:
        while (await page(ann))[1]:
            pass
        assert redis_server.admin.hget(keys.meta(ROOM), "mediaFrom") == b"1"
        redis_server.admin.delete(keys.meta(ROOM))
        await ann.send("a text")
        found, more = await page(ann, limit=1)
        assert found == [35]
        while more:
            found, more = await page(ann)
        assert found == [35, 5]
