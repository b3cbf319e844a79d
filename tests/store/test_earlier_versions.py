"""A Redis that an earlier version wrote goes on being used: nothing in it is lost."""

import json
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from realtime.store import keys
from tests.kit.members import all_see, member
from tests.kit.nodes import Node, run_nodes
from tests.kit.pictures import picture

# Commands that make what version 1 left: three users, four rooms, one of them ending.
DUMP = Path(__file__).parent / "data" / "version-1.jsonl"
CHO = "조영희"


@pytest.fixture
async def _old_data(redis_client: Redis) -> None:
    for line in DUMP.read_text(encoding="utf-8").splitlines():
        await redis_client.execute_command(*json.loads(line))


@pytest.fixture
async def nodes(redis_url: str, _old_data: None) -> Any:
    async with run_nodes(2, redis_url) as running:
        yield running


async def test_rooms_marks_and_messages_are_as_they_were(nodes: list[Node]) -> None:
    """Each finds their rooms, what they have not read, and what was said."""
    async with (
        member(nodes[0], "ann", "general") as ann,
        member(nodes[1], CHO, "general") as cho,
    ):
        (general,) = (await cho.do("rooms"))["rooms"]
        assert general["unread"] == 2
        assert general["newest"]["text"] == "a picture"
        found = {each["room"]: each for each in (await ann.do("rooms"))["rooms"]}
        assert found.keys() == {"general", "team-2", "empty"}
        assert found["team-2"]["unread"] == 1
        joined = await cho.join("general")
        assert joined["reads"] == {"ann": 6, "auth0|bob": 5, CHO: 4}
        page = await ann.do("history", {"room": "general"})
        assert [each["text"] for each in page["messages"]][2:4] == [
            "안녕하세요",
            "how are you?",
        ]


async def test_what_is_written_goes_on_from_there(
    nodes: list[Node], redis_client: Redis
) -> None:
    """Numbers, cursors and clientIds are those of the earlier version; marks rise."""
    kept: Any = await redis_client.hget(keys.meta("general"), "uid")
    async with (
        member(nodes[0], "ann") as ann,
        member(nodes[1], CHO) as cho,
    ):
        back = await cho.join("general", f"6:{kept}")
        assert (back["recovered"], back["events"]) == (True, [])
        await ann.join("general")
        again = {"room": "general", "clientId": "c4", "type": "text", "text": "again"}
        assert (await ann.do("send", again))["message"] == 4
        await ann.send("seventh", "general", "seventh")
        await all_see([cho], ["seventh"], "general")
        assert (await cho.do("mark_read", {"room": "general", "message": 7}))[
            "unread"
        ] == 0
    marks: Any = await redis_client.zrange(
        keys.last_read("general"), 0, -1, withscores=True
    )
    assert dict(marks) == {"ann": 7, "auth0|bob": 5, CHO: 7}


async def test_a_room_that_was_about_to_end_still_does(
    nodes: list[Node], redis_client: Redis
) -> None:
    """Marks that are sorted anew keep their end."""
    await redis_client.hset(keys.last_read("left"), CHO, "1")
    await redis_client.pexpire(keys.last_read("left"), 100_000)
    async with member(nodes[0], CHO, "left") as cho:
        assert (await cho.do("quit", {"room": "left"}))["ok"]
    assert await redis_client.ttl(keys.last_read("left")) != -1


async def test_images_of_before_are_found(nodes: list[Node]) -> None:
    """They are listed with the first look, and those of now beside them."""
    async with member(nodes[0], "ann", "general") as ann:
        for _ in range(2):
            page = await ann.do("media", {"room": "general"})
            assert [each["message"] for each in page["messages"]] == [6]
            assert page["more"] is False
        shown = {"room": "general", "clientId": "new", "type": "image"}
        await ann.do("send", {**shown, "image": picture("PNG")})
        page = await ann.do("media", {"room": "general"})
        assert [each["message"] for each in page["messages"]] == [7, 6]
