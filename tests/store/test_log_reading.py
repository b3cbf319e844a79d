"""Reading the log: what followed a cursor, if the log proves it; pages of history."""

import json
from typing import Any

import pytest
from redis.asyncio import Redis

from realtime.redis.client import RedisClient
from realtime.store import keys
from realtime.store.membership import Memberships
from realtime.store.message_log import MessageLog
from realtime.store.position import START, Position
from realtime.store.scripts import HistoryPage, LogPage
from tests.kit.store_fixtures import Send, make_log, sender


@pytest.fixture(autouse=True)
async def member(rooms: Memberships) -> None:
    """Ann is a member of two rooms."""
    await rooms.admit("42", "ann")
    await rooms.admit("43", "ann")


async def fill(send: Send, count: int, room: str = "42") -> list[Position]:
    """Send messages; return START and the position after each."""
    places = [START]
    for number in range(count):
        sent = await send(str(number), room=room)
        places.append(Position(sent.offset, sent.uid))
    return places


def offsets(page: LogPage) -> list[int]:
    """Return the offsets of a page's events."""
    return [json.loads(event)[1]["offset"] for event in page.events]


def numbers(page: HistoryPage) -> list[int]:
    """Return the message numbers of a page of history."""
    return [json.loads(message)["message"] for message in page.messages]


async def test_what_followed_a_cursor(log: MessageLog, send: Send) -> None:
    """All of it, in order, and where the top is; nothing after the top itself."""
    places = await fill(send, 10)
    for number in range(11):
        page = await log.read("42", places[number], limit=100)
        assert page.proved
        assert offsets(page) == list(range(number + 1, 11))
        assert page.top == places[10]


async def test_a_part_of_what_followed(log: MessageLog, send: Send) -> None:
    """A page at a time, up to an offset."""
    places = await fill(send, 10)
    page = await log.read("42", places[2], upto=7, limit=3)
    assert offsets(page) == [3, 4, 5]
    page = await log.read("42", places[5], upto=7, limit=3)
    assert offsets(page) == [6, 7]
    page = await log.read("42", places[7], upto=7, limit=3)
    assert (page.proved, page.events) == (True, [])


async def test_a_cursor_beyond_the_top_proves_nothing(
    log: MessageLog, send: Send
) -> None:
    """Redis lost its tail: what the client saw is no more."""
    places = await fill(send, 3)
    page = await log.read("42", Position(4, "lost"), limit=100)
    assert page == LogPage(False, places[3], [])


async def test_a_cursor_of_another_lineage_proves_nothing(
    log: MessageLog, send: Send
) -> None:
    """The same offset holds another event: the histories grew apart."""
    places = await fill(send, 3)
    assert not (await log.read("42", Position(2, "other"), limit=100)).proved
    assert not (await log.read("42", Position(0, places[1].uid), limit=100)).proved


async def test_a_cursor_of_another_room_proves_nothing(
    log: MessageLog, send: Send
) -> None:
    """Both rooms have an event of that offset."""
    places = await fill(send, 3)
    await fill(send, 3, "43")
    assert not (await log.read("43", places[2], limit=100)).proved


async def test_a_trimmed_cursor_proves_nothing(
    log: MessageLog, send: Send, redis_client: Redis
) -> None:
    """Never a partial recovery: what left the log cannot be told."""
    places = await fill(send, 6)
    await redis_client.xtrim(keys.log("42"), maxlen=3, approximate=False)
    for gone in (0, 1, 3):
        assert not (await log.read("42", places[gone], limit=100)).proved
    assert offsets(await log.read("42", places[4], limit=100)) == [5, 6]


async def test_the_top_is_proved_without_its_event(
    log: MessageLog, send: Send, redis_client: Redis
) -> None:
    """Somebody deleted the log by hand: whoever has seen all has missed nothing."""
    places = await fill(send, 3)
    await redis_client.delete(keys.log("42"))
    assert await log.read("42", places[3], limit=10) == LogPage(True, places[3], [])
    assert not (await log.read("42", Position(3, "other"), limit=10)).proved
    assert not (await log.read("42", places[2], limit=10)).proved


async def test_an_empty_room(log: MessageLog) -> None:
    """Its cursor is ``0:``, and any other one is of another log."""
    assert await log.top("42") == START
    assert await log.read("42", START, limit=100) == LogPage(True, START, [])
    assert not (await log.read("42", Position(1, "x"), limit=100)).proved


async def test_the_top(log: MessageLog, send: Send) -> None:
    """It is the newest event's place."""
    places = await fill(send, 3)
    assert await log.top("42") == places[3]


@pytest.mark.parametrize(
    ("bounds", "expected", "more"),
    [
        ({}, [8, 9, 10], True),
        ({"before": 8}, [5, 6, 7], True),
        ({"before": 4}, [1, 2, 3], False),
        ({"before": 3}, [1, 2], False),
        ({"before": 1}, [], False),
        ({"before": 11}, [8, 9, 10], True),
        ({"before": 10**15}, [8, 9, 10], True),
        ({"after": 0}, [1, 2, 3], True),
        ({"after": 6}, [7, 8, 9], True),
        ({"after": 7}, [8, 9, 10], False),
        ({"after": 10}, [], False),
        ({"after": 10**15}, [], False),
    ],
)
async def test_pages_of_history(
    log: MessageLog,
    send: Send,
    bounds: dict[str, Any],
    expected: list[int],
    more: bool,
) -> None:
    """Both bounds are exclusive; ``more`` speaks of the direction that was asked."""
    await fill(send, 10)
    page = await log.history(room="42", limit=3, **bounds)
    assert (numbers(page), page.more, page.first_available) == (expected, more, 1)


async def test_walking_the_whole_history(log: MessageLog, send: Send) -> None:
    """Back by ``before`` and forth by ``after``: each message once."""
    await fill(send, 10)
    back: list[int] = []
    more = True
    while more:
        before = back[0] if back else None
        page = await log.history(room="42", before=before, limit=4)
        back, more = numbers(page) + back, page.more
    forth: list[int] = []
    more = True
    while more:
        after = forth[-1] if forth else 0
        page = await log.history(room="42", after=after, limit=4)
        forth, more = forth + numbers(page), page.more
    assert back == forth == list(range(1, 11))


async def test_history_says_where_it_ends(link: RedisClient) -> None:
    """Older messages are gone, and a page asked there begins with what is left."""
    short = make_log(link, history_limit=4)
    await fill(sender(short), 10)
    page = await short.history(room="42", limit=100)
    assert (numbers(page), page.more, page.first_available) == ([7, 8, 9, 10], False, 7)
    page = await short.history(room="42", after=2, limit=2)
    assert (numbers(page), page.more) == ([7, 8], True)
    page = await short.history(room="42", before=7, limit=2)
    assert (numbers(page), page.more) == ([], False)


async def test_the_history_of_an_empty_room(log: MessageLog) -> None:
    """Nothing, and nothing more."""
    assert await log.history(room="42", limit=10) == HistoryPage([], False, 1)
