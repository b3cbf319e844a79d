"""A node's sessions on the rooms' lists: there while they attend, and not after."""

import asyncio
from dataclasses import dataclass, field

import pytest
from redis.asyncio import Redis

from realtime import keys
from realtime.presence import Presence
from realtime.presence_counts import PresenceCounts
from realtime.redis_link import RedisLink
from realtime.session_lists import RELIST_TOGETHER, SessionLists
from tests.waiting import wait_until


@dataclass(eq=False)
class Attending:
    """A session as far as the lists go."""

    sid: str
    user: str = "ann"
    device: str | None = None
    ended: bool = False
    rooms: set[str] = field(default_factory=set)


def presence_of(link: RedisLink, node: str) -> Presence:
    """Return the presence as a node of that name keeps it."""
    return Presence(link, node=node, announce_users=10, counts=PresenceCounts(link))


@pytest.fixture
def lists(link: RedisLink) -> SessionLists:
    """The lists at node n1; departures are told once it is started."""
    return SessionLists(presence_of(link, "n1"))


async def test_who_comes_back_before_the_departure_is_told_stays(
    lists: SessionLists, link: RedisLink, redis_client: Redis
) -> None:
    """Thousands leave at once; one of them joins again before their turn comes."""
    ann, bob = Attending("s1"), Attending("s2", "bob")
    for session in (ann, bob):
        await lists.add(session, "42")
        lists.remove_soon(session, "42")
    await lists.add(ann, "42")
    lists.start()
    try:
        await wait_until(lambda: not lists.held()["departures"], "all are told")
        await link.call("PING")
        assert await redis_client.hkeys(keys.sessions("42")) == ["s1"]
        assert await redis_client.hgetall(keys.online("42")) == {"ann": "1"}
        lists.end(ann)

        async def gone() -> bool:
            return not await redis_client.exists(keys.sessions("42"))

        await wait_until(gone, "the departure is told when it is one")
    finally:
        await lists.aclose()


async def test_who_comes_back_while_leaving_is_swept_with_the_node(
    lists: SessionLists, link: RedisLink, redis_client: Redis
) -> None:
    """The node's own list names it again: no user is online for ever after a crash."""
    ann = Attending("s1")
    await lists.add(ann, "42")
    leaving = asyncio.create_task(lists.remove(ann, "42"))
    await asyncio.sleep(0)
    await lists.add(ann, "42")
    await leaving
    assert await redis_client.hkeys(keys.sessions("42")) == ["s1"]
    assert await presence_of(link, "n2").sweep("n1") == 1
    assert await redis_client.keys("*") == []


async def test_who_left_is_on_no_list(lists: SessionLists, redis_client: Redis) -> None:
    """Also when leaving, coming back and leaving again overlap."""
    ann = Attending("s1")
    await lists.add(ann, "42")
    once = asyncio.create_task(lists.remove(ann, "42"))
    await asyncio.sleep(0)
    back = lists.add(ann, "42")
    again = asyncio.create_task(lists.remove(ann, "42"))
    await asyncio.gather(once, back, again)
    assert await redis_client.keys("*") == []


async def test_one_broken_list_keeps_nobody_off_the_others(
    lists: SessionLists, redis_client: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Redis lost its data; where the room's list was there is something else now."""
    sessions = [Attending(f"s{n}") for n in range(2 * RELIST_TOGETHER)]
    for session in sessions:
        await lists.add(session, "42")
    await lists.add(sessions[0], "41")
    await redis_client.flushall()
    await redis_client.set(keys.sessions("41"), "not a hash")
    await lists.relist()
    assert await redis_client.hlen(keys.sessions("42")) == len(sessions)
    assert "cannot be listed again" in caplog.text
    await lists.remove(sessions[1], "42")
    sessions[0].rooms.discard("41")
    await lists.reconcile()
    assert "cannot be taken off" in caplog.text
    assert await redis_client.hlen(keys.sessions("42")) == len(sessions) - 1
