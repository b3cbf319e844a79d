"""``history`` around a message or a time, and ``reads`` in rooms of any size."""

import time
from typing import Any

import pytest
from redis import Redis

from tests.kit.members import Member, member
from tests.kit.nodes import Node, run_nodes
from tests.kit.redis_server import RedisServer

META, MESSAGES = "{chatroom-42}:meta", "{chatroom-42}:messages"


def fill(redis: Redis, count: int, *, first: int = 1) -> None:
    """Write messages of one second each, the newest ``count`` of them kept."""
    states: dict[Any, Any] = {
        str(n): f'{{"offset":{n},"uid":"u{n}","message":{n},"room":"42","user":"ann",'
        f'"type":"text","text":"{n}","clientId":"c{n}","at":{n * 1000}}}'
        for n in range(first, count + 1)
    }
    redis.hset(MESSAGES, mapping=states)
    top: dict[Any, Any] = {"offset": count, "uid": "u", "lastMessage": count}
    redis.hset(META, mapping=top)


async def page(client: Member, **place: int) -> tuple[list[int], bool, bool, int]:
    """Return numbers, whether there are older and newer ones, and the middle."""
    ack = await client.do("history", {"room": "42", **place})
    numbers = [each["message"] for each in ack["messages"]]
    return numbers, ack["more"], ack["moreAfter"], ack["around"]


@pytest.mark.parametrize(
    ("place", "numbers", "more", "more_after", "around"),
    [
        ({"around": 50, "limit": 5}, range(48, 53), True, True, 50),
        ({"around": 50, "limit": 1}, range(50, 51), True, True, 50),
        ({"around": 1, "limit": 4}, range(11, 15), False, True, 11),
        ({"around": 99, "limit": 4}, range(97, 101), True, False, 99),
        ({"around": 2**50, "limit": 4}, range(97, 101), True, False, 100),
        ({"around": 50, "limit": 500}, range(11, 101), False, False, 50),
        ({"at": 50_000, "limit": 3}, range(49, 52), True, True, 50),
        ({"at": 50_001, "limit": 3}, range(50, 53), True, True, 51),
        ({"at": 0, "limit": 3}, range(11, 14), False, True, 11),
        ({"at": 10**15, "limit": 3}, range(98, 101), True, False, 100),
    ],
)
async def test_a_page_around_a_number_or_a_time(
    three: list[Node],
    redis_server: RedisServer,
    place: dict[str, int],
    numbers: range,
    more: bool,
    more_after: bool,
    around: int,
) -> None:
    """Of the messages that are kept, 11 to 100, on any node."""
    fill(redis_server.admin, 100, first=11)
    async with member(three[2], "bob", "42") as bob:
        found = await page(bob, **place)
    assert found == (list(numbers), more, more_after, around)


async def test_the_time_of_changed_messages_is_that_of_their_sending(
    three: list[Node],
) -> None:
    """Deleted and edited ones are found, whatever their words say."""
    async with member(three[0], "ann", "42") as ann:
        trap = '"at":1,"type":"deleted"'
        times = [(await ann.send(trap))["at"] for _ in range(5)]
        await ann.do("delete", {"room": "42", "message": 2})
        edit = {"room": "42", "message": 4, "clientId": "e", "text": "new"}
        await ann.do("edit", edit)
        for at in times:
            found = (await page(ann, at=at, limit=1))[3]
            assert times[found - 1] == at


async def test_an_empty_room_has_no_page(three: list[Node]) -> None:
    """There is nothing around anything."""
    async with member(three[0], "ann", "42") as ann:
        for place in ({"around": 7}, {"at": 7}):
            ack = await ann.do("history", {"room": "42", **place})
            assert (ack["messages"], ack["more"], ack["moreAfter"]) == (
                [],
                False,
                False,
            )


async def test_newcomers_have_no_page_of_what_is_hidden(
    three: list[Node], redis_server: RedisServer
) -> None:
    """Neither by number nor by time."""
    fill(redis_server.admin, 100)
    async with member(three[0], "bob", "42") as bob:
        record = '{"role":"member","joinedAt":1,"since":90}'
        redis_server.admin.hset("{chatroom-42}:members", "bob", record)
        for place in ({"around": 5}, {"at": 5_000}, {"around": 90}):
            numbers, more, _, around = await page(bob, **place)
            assert (numbers[0], more, around) == (90, False, 90)


async def test_a_long_page_keeps_its_middle(redis_url: str) -> None:
    """What one answer has no place for is left out at both ends, and said."""
    async with (
        run_nodes(1, redis_url, write_buffer_bytes=65_536) as (node,),
        member(node, "ann", "42") as ann,
    ):
        for _ in range(40):
            await ann.send("x" * 4_000)
        numbers, more, more_after, around = await page(ann, around=20, limit=40)
    assert around == 20
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert 10 <= len(numbers) <= 17
    assert abs((numbers[0] + numbers[-1]) / 2 - 20) <= 1
    assert (more, more_after) == (True, True)


@pytest.mark.parametrize(
    ("event", "payload", "field"),
    [
        ("history", {"around": 5, "at": 5}, "at"),
        ("history", {"before": 5, "around": 5}, "around"),
        ("history", {"after": 5, "before": 5}, "after"),
        ("history", {"around": 0}, "around"),
        ("history", {"at": -1}, "at"),
        ("history", {"at": "5"}, "at"),
        ("reads", {}, "messages"),
        ("reads", {"messages": [1, 1]}, "messages.1"),
        ("reads", {"messages": [0]}, "messages.0"),
        ("reads", {"messages": list(range(1, 52))}, "messages"),
    ],
)
async def test_what_is_wrong_is_named(
    three: list[Node], event: str, payload: dict[str, object], field: str
) -> None:
    """By its field."""
    async with member(three[0], "ann", "42") as ann:
        error = await ann.refused(event, {"room": "42", **payload})
    assert error["code"] == "invalid"
    assert field in error["fields"]


async def test_reads_is_exact_for_late_joiners(three: list[Node]) -> None:
    """Who came later, or left, has nothing to read of before."""
    async with (
        member(three[0], "ann", "42") as ann,
        member(three[1], "bob", "42") as bob,
        member(three[2], "cleo", "42") as cleo,
    ):
        await ann.send("one")
        asked = {"room": "42", "messages": [2, 1, 7]}
        assert (await ann.do("reads", asked))["counts"] == [0, 2, 0]
        async with member(three[2], "dora", "42"):
            await ann.send("two")
            assert (await cleo.do("reads", asked))["counts"] == [3, 2, 0]
        await bob.do("mark_read", {"room": "42", "message": 1})
        await cleo.do("quit", {"room": "42"})
        assert (await bob.do("reads", asked))["counts"] == [2, 0, 0]


async def test_reads_in_a_room_of_100_000(
    three: list[Node], redis_server: RedisServer
) -> None:
    """Exact, and as quick as in a small one."""
    async with member(three[0], "ann", "42") as ann:
        redis = redis_server.admin
        fill(redis, 1000)
        for start in range(0, 100_000, 10_000):
            marks: dict[Any, Any] = {
                f"u{n}": n % 1000 for n in range(start, start + 10_000)
            }
            redis.zadd("{chatroom-42}:lastRead", marks)
        asked = {"room": "42", "messages": list(range(951, 1001))}
        began = time.perf_counter()
        counts = (await ann.do("reads", asked))["counts"]
        seconds = time.perf_counter() - began
    # Ann came when the room was empty: she has read none.
    assert counts == [100 * number + 1 for number in range(951, 1001)]
    assert seconds < 1
