"""All rooms, by id, for an application; and how pages lead to the next one."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import ClientSession
from redis.asyncio import Redis
from yarl import URL

from realtime.store import keys, room_index
from realtime.store.room_index import RoomIndex
from tests.kit.backend import Backend, backend, user_token
from tests.kit.members import member
from tests.kit.nodes import Node
from tests.kit.store_fixtures import LinkMaker
from tests.kit.waiting import MS, wait_until


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at two rooms in one go, and again at once."""
    monkeypatch.setattr(room_index, "TOGETHER", 2)
    monkeypatch.setattr(room_index, "SWEEP_SECONDS", 20 * MS)


@pytest.fixture
async def index(make_link: LinkMaker) -> AsyncIterator[RoomIndex]:
    async with make_link() as link:
        yield RoomIndex(link)


async def pages(asks: Backend, query: str = "") -> list[dict[str, Any]]:
    """Return all rooms, read in pages of three."""
    found: list[dict[str, Any]] = []
    at = f"/chats?limit=3{query}"
    while True:
        page = await asks.do("GET", at)
        found += page["rooms"]
        assert len(page["rooms"]) <= 3
        assert page["more"] is ("next" in page)
        if not page["more"]:
            return found
        at = f"/chats?limit=3{query}&after={page['next']}"


def ids(rooms: list[dict[str, Any]]) -> list[str]:
    return [each["room"] for each in rooms]


async def test_all_rooms_are_listed_by_their_ids(
    nodes: list[Node], http: ClientSession
) -> None:
    """Those that were joined, those that were made; what ended is none."""
    crm = await backend(http, nodes[0], "read", "write", "rooms")
    once = {"Idempotency-Key": "1"}
    made = {"kind": "public", "room": "news", "name": "News"}
    await crm.do("POST", "/chats", made, **once)
    hidden = (await crm.do("POST", "/chats", {"kind": "private"}, **once))["room"]
    await crm.do("POST", "/chats/news/message", {"text": "first"}, **once)
    rooms = ["team-1", "team-2", "b", "team-10", "c"]
    async with member(nodes[1], "ann", *rooms, token=user_token("ann")) as ann:
        found = await pages(crm)
        assert ids(found) == sorted([*rooms, "news", hidden])
        news = next(each for each in found if each["room"] == "news")
        assert (news["name"], news["createdBy"], news["lastMessage"]) == (
            "News",
            "$crm",
            1,
        )
        assert news["at"] > news["createdAt"]
        assert ids(await pages(crm, "&kind=private")) == [hidden]
        await ann.do("quit", {"room": "b"})
        await crm.do("DELETE", "/chats/news")
        assert ids(await pages(crm)) == sorted([*rooms[:2], *rooms[3:], hidden])
        redis = nodes[0].parts.redis

        async def forgotten() -> bool:
            return await redis.call("ZSCORE", keys.ROOMS, "news") is None

        await wait_until(forgotten, "what ended is forgotten")
        # Made anew, it is there again.
        await ann.join("b")
        assert "b" in ids(await pages(crm))


async def test_a_key_lists_the_rooms_of_its_pattern(
    nodes: list[Node], http: ClientSession
) -> None:
    """No others, wherever it begins to read; users have lists of their own."""
    token = user_token("ann")
    rooms = ["team-1", "team-2", "teams", "a", "team-10", "z"]
    async with member(nodes[1], "ann", *rooms, token=token):
        for pattern, wanted in (
            ("team-*", ["team-1", "team-10", "team-2"]),
            ("team-?", ["team-1", "team-2"]),
            ("*1", ["team-1"]),
            ("a", ["a"]),
        ):
            crm = await backend(http, nodes[0], "read", rooms=pattern)
            assert ids(await pages(crm)) == wanted
            assert ids((await crm.do("GET", "/chats?after=y"))["rooms"]) == []
        ann = Backend(http, nodes[0], token)
        other = await backend(http, nodes[0], "write")
        for asks in (ann, other):
            status, problem, _ = await asks.ask("GET", "/chats")
            assert (status, problem["reason"]) == (403, "scope")
        crm = await backend(http, nodes[0], "read")
        for query, name in (("after=a%20b", "after"), ("kind=open", "kind")):
            status, problem, _ = await crm.ask("GET", f"/chats?{query}")
            assert (status, [*problem["fields"]]) == (400, [name])


async def test_a_page_links_to_the_next_one(
    nodes: list[Node], http: ClientSession
) -> None:
    """Whoever follows the links reads everything once, with what was asked for."""
    crm = await backend(http, nodes[0], "read", "moderate", "rooms", "write")
    token = user_token("ann")

    async def followed(asks: Backend, at: str) -> tuple[list[Any], int]:
        """Return all entries of an address and those its links lead to."""
        found: list[Any] = []
        for asked in range(20):
            _, body, answer = await asks.ask("GET", at)
            (name,) = {"messages", "members", "acts", "rooms"} & body.keys()
            found += body[name]
            if not (link := answer.links.get("next")):
                assert not body["more"]
                return found, asked
            at = URL(link["url"]).raw_path_qs.removeprefix("/api")
        raise AssertionError("it never ends")

    async with member(nodes[1], "ann", "42", "43", "44", token=token) as ann:
        for number in range(1, 6):
            await ann.send(f"{number}")
        at = "/chats/42"
        for query, texts in (
            ("limit=2", "45231"),
            ("before=5&limit=2", "3412"),
            ("after=1&limit=2", "2345"),
            ("around=4&limit=1", "4321"),
        ):
            found, _ = await followed(crm, f"{at}/messages?{query}")
            assert "".join(each["text"] for each in found) == texts
        for user in ("bob", "c&d", "é<>"):
            await crm.do("PUT", f"{at}/members/{quote(user)}")
        found, asked = await followed(crm, f"{at}/members?limit=1")
        assert [each["user"] for each in found] == ["ann", "bob", "c&d", "é<>"]
        assert asked == 3
        found, _ = await followed(crm, f"{at}/audit?limit=2")
        assert [each["act"] for each in found] == ["member_joined"] * 3
        found, _ = await followed(crm, "/chats?limit=1")
        assert ids(found) == ["42", "43", "44"]
        mine = Backend(http, nodes[0], token)
        found, asked = await followed(mine, "/me/chats?limit=1&sort=recent")
        assert (len(found), ids(found)[0], asked) == (3, "42", 2)
        assert len((await followed(mine, "/me/chats?limit=2"))[0]) == 3


async def test_rooms_of_before_are_found_once(
    index: RoomIndex, redis_client: Redis
) -> None:
    """Those that somebody belongs to, and those that a key made; then never again."""
    await redis_client.hset(keys.members("42"), "ann", '{"role":"owner"}')
    await redis_client.hset(keys.meta("of-key"), "createdBy", "$crm")
    await redis_client.hset(keys.meta("ended"), "offset", "9")
    # What is no room's, and what cannot be read as one.
    await redis_client.set("chatroom-x", "1", ex=60)
    await redis_client.set(keys.members("broken"), "1", ex=60)
    await index.fill()
    await redis_client.hset(keys.members("later"), "ann", '{"role":"owner"}')
    await index.fill()
    page = await index.page(limit=10)
    assert ([each.room for each in page.rooms], page.after) == (["42", "of-key"], None)


async def test_a_room_that_is_made_while_it_is_looked_for_stays(
    index: RoomIndex, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who takes it out for it was not there looks once more."""
    await redis_client.zadd(keys.ROOMS, {"42": 0})
    there = index.there

    async def slow(rooms: list[str]) -> Any:
        found = await there(rooms)
        await redis_client.hset(keys.members("42"), "ann", '{"role":"owner"}')
        return found

    monkeypatch.setattr(index, "there", slow)
    await index.sweep()
    assert await redis_client.zscore(keys.ROOMS, "42") == 0
