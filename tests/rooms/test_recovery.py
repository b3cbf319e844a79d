"""Recovery from the log: all that was missed, or none of it."""

import asyncio

import pytest

from realtime.errors import ChatError, UnavailableError
from realtime.rooms.allowance import Allowance
from realtime.rooms.feed import RoomFeed
from realtime.rooms.recovery import TURN_SECONDS, Asking, Past, Recovery
from realtime.store.membership import Memberships
from realtime.store.message_log import MessageLog
from realtime.store.position import Position
from tests.kit.redis_server import RedisServer
from tests.kit.store_fixtures import TIMEOUT_SECONDS, LinkMaker, Send, make_log
from tests.kit.waiting import MS

CROWD = 12
ASKING = Asking("ann", Allowance(None, 1024 * 1024))
# One who reads, and the longest wait for a turn; far below a deadline for each.
ANSWERED_SECONDS = TIMEOUT_SECONDS + TURN_SECONDS + 3_000 * MS


async def past(log: MessageLog, cursor: Position, start: Position) -> Past:
    """Return what a session is told that enters after ``start``."""
    feed = RoomFeed("42")
    feed.restart(start)
    entry = feed.begin_entry()
    # The node's memory has nothing of it.
    return await Recovery(log).past(feed, entry, str(cursor), ASKING)


async def test_all_between_the_cursor_and_the_entry(
    log: MessageLog, rooms: Memberships, send: Send
) -> None:
    """Up to the entry, not up to the log's top: what follows is collected."""
    await rooms.admit("42", "ann")
    sent = [await send(f"text {number}") for number in range(4)]
    places = [Position(each.offset, each.uid) for each in sent]
    found = await past(log, places[0], places[2])
    assert found.recovered
    assert [b"text 1" in found.events[0], b"text 2" in found.events[1]] == [True, True]
    assert len(found.events) == 2
    assert (await past(log, places[2], places[2])).events == []


async def test_a_log_that_lost_its_tail_gives_no_part_of_what_was_missed(
    log: MessageLog, rooms: Memberships, send: Send
) -> None:
    """The node has delivered what Redis lost and does not know of the loss yet.

    Half of what was missed, called all of it, would be a hole for good.
    """
    await rooms.admit("42", "ann")
    sent = [await send(f"text {number}") for number in range(3)]
    cursor = Position(sent[0].offset, sent[0].uid)
    for lost in (Position(5, "lost"), Position(sent[2].offset, "lost")):
        with pytest.raises(UnavailableError):
            await past(log, cursor, lost)


async def test_a_tail_that_is_lost_back_to_the_cursor(
    log: MessageLog, rooms: Memberships, send: Send
) -> None:
    """The node learns of the loss while it looks for what was missed: ask again."""
    await rooms.admit("42", "ann")
    sent = await send("text")
    cursor = Position(sent.offset, sent.uid)
    feed = RoomFeed("42")
    feed.restart(Position(5, "lost"))
    finding = Recovery(log).past(feed, feed.begin_entry(), str(cursor), ASKING)
    feed.restart(cursor)
    with pytest.raises(UnavailableError):
        await finding


async def test_nobody_waits_for_a_row_of_others_while_redis_is_away(
    make_link: LinkMaker, redis_server: RedisServer
) -> None:
    """A crowd comes back as Redis goes: each is answered, not one after the other."""
    async with make_link() as link:
        await link.call("PING")
        feed = RoomFeed("42")
        feed.restart(Position(5, "u5"))
        recovery = Recovery(make_log(link))
        redis_server.pause()
        waiting = [
            recovery.past(feed, feed.begin_entry(), "1:u1", ASKING)
            for _ in range(CROWD)
        ]
        async with asyncio.timeout(ANSWERED_SECONDS):
            ends = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(each, ChatError) for each in ends), ends


async def test_who_asks_again_and_again_waits_behind_themselves(
    log: MessageLog, rooms: Memberships, send: Send
) -> None:
    """Fifty sessions of one user read the log: somebody else has the next turn."""
    await rooms.admit("42", "ann")
    # More than the node's memory takes, so that each one reads the log.
    sent = [await send("x" * 4_000) for _ in range(30)]
    cursor = Position(sent[0].offset, sent[0].uid)
    feed = RoomFeed("42")
    feed.restart(Position(sent[-1].offset, sent[-1].uid))
    recovery = Recovery(log)
    ended: list[str] = []

    async def ask(user: str) -> None:
        asking = Asking(user, Allowance(None, 1024 * 1024))
        await recovery.past(feed, feed.begin_entry(), str(cursor), asking)
        ended.append(user)

    many = [asyncio.ensure_future(ask("ann")) for _ in range(50)]
    await asyncio.sleep(0)
    await ask("bob")
    await asyncio.gather(*many)
    assert ended.index("bob") <= 2
