"""`rooms` by the last message: pages, filters, and what the user made of each room."""

from collections.abc import AsyncIterator

import pytest

from tests.kit.nodes import Node
from tests.kit.recording import Payload, RecordingClient, recording

ROOMS = [f"r{number}" for number in range(7)]


@pytest.fixture
async def ann(two: list[Node]) -> AsyncIterator[RecordingClient]:
    """Ann, a member of all rooms."""
    async with recording(two[0], "ann") as client:
        for room in ROOMS:
            await client.do("join", {"room": room})
        yield client


@pytest.fixture
async def bob(two: list[Node], ann: RecordingClient) -> AsyncIterator[list[str]]:
    """Bob has written in each, in this order."""
    order = ROOMS[3:] + ROOMS[:3]
    async with recording(two[1], "bob") as client:
        for room in order:
            await client.do("join", {"room": room})
            await write(client, room)
        yield order


async def write(client: RecordingClient, room: str) -> None:
    """Send one text."""
    say_it = {"room": room, "clientId": "1", "type": "text", "text": "hi"}
    await client.do("send", say_it)


async def pages(client: RecordingClient, **asked: object) -> list[Payload]:
    """Return all rooms of a list, page by page."""
    found: list[Payload] = []
    page = await client.do("rooms", asked)
    found += page["rooms"]
    while page["more"]:
        page = await client.do("rooms", {**asked, "cursor": page["next"]})
        found += page["rooms"]
    assert "next" not in page
    return found


def names(rooms: list[Payload]) -> list[str]:
    """Return their ids."""
    return [each["room"] for each in rooms]


async def test_the_newest_come_first_in_pages_of_any_length(
    ann: RecordingClient, bob: list[str]
) -> None:
    """Each room once, with the time of its last message."""
    for limit in (1, 3, 7):
        assert names(await pages(ann, sort="recent", limit=limit)) == bob[::-1]
    listed = await pages(ann, sort="recent")
    assert names(listed) == bob[::-1]
    times = [each["at"] for each in listed]
    assert times == sorted(times, reverse=True)
    assert all(each["at"] == each["newest"]["at"] for each in listed)
    assert all(each["unread"] == 1 for each in listed)


async def test_a_page_goes_on_at_another_node(
    two: list[Node], ann: RecordingClient, bob: list[str]
) -> None:
    """A cursor is a place in the order, not a memory of the node that gave it."""
    first = await ann.do("rooms", {"sort": "recent", "limit": 3})
    async with recording(two[1], "ann") as elsewhere:
        rest = await pages(elsewhere, cursor=first["next"], limit=2)
    assert names(first["rooms"] + rest) == bob[::-1]


async def test_filters(ann: RecordingClient, bob: list[str]) -> None:
    """Active, archived and pinned are the user's own; unread counts marks by hand."""
    await ann.do("room_mine", {"room": "r1", "archived": True})
    await ann.do("room_mine", {"room": "r2", "pinned": True})
    for room in ROOMS[:6]:
        await ann.do("mark_read", {"room": room, "message": 1})
    await ann.do("mark_unread", {"room": "r0", "on": True})

    async def having(what: str) -> set[str]:
        return {*names(await pages(ann, filter=what, limit=2))}

    assert await having("archived") == {"r1"}
    assert await having("active") == {*ROOMS} - {"r1"}
    assert await having("pinned") == {"r2"}
    assert await having("unread") == {"r0", "r6"}
    (marked,) = [
        each for each in await pages(ann, filter="unread") if each["room"] == "r0"
    ]
    assert (marked["markedUnread"], marked["unread"]) == (True, 0)


async def test_rooms_by_id_stay_as_they_were(
    ann: RecordingClient, bob: list[str]
) -> None:
    """Clients of before page by `after`, 200 at most; the orders are not mixed."""
    first = await ann.do("rooms", {"limit": 4})
    assert (names(first["rooms"]), first["more"]) == (ROOMS[:4], True)
    rest = await ann.do("rooms", {"after": "r3"})
    assert (names(rest["rooms"]), rest["more"]) == (ROOMS[4:], False)
    refusal = await ann.refused("rooms", {"after": "r3", "sort": "recent"})
    assert refusal["fields"].keys() == {"after"}


@pytest.mark.parametrize(
    ("event", "payload", "field"),
    [
        ("rooms", {"sort": "oldest"}, "sort"),
        ("rooms", {"filter": "mine"}, "filter"),
        ("rooms", {"cursor": "1"}, "cursor"),
        ("me", {"cursor": 1}, "cursor"),
        ("me", {"list": 1}, "list"),
        ("room_mine", {"room": "r1"}, "room"),
        ("room_mine", {"room": "r1", "muted": "yes"}, "muted"),
        ("room_mine", {"room": "r1", "push": "some"}, "push"),
        ("mark_unread", {"room": "r1"}, "on"),
    ],
)
async def test_what_is_wrong_is_named(
    ann: RecordingClient, event: str, payload: Payload, field: str
) -> None:
    """By the field, and nothing is changed."""
    refusal = await ann.refused(event, payload)
    assert (refusal["code"], [*refusal["fields"]]) == ("invalid", [field])
