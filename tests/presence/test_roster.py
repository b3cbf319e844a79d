"""A node's sessions on the rooms' lists: there while they attend, and not after."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from redis.asyncio import Redis

from realtime.errors import ChatError
from realtime.presence.presence import Presence
from realtime.presence.room_counts import RoomCounts
from realtime.presence.roster import RELIST_TOGETHER, Roster
from realtime.redis.client import RedisClient
from realtime.redis.connection import Argument
from realtime.redis.script import Script
from realtime.redis.url import connection_factory
from realtime.store import keys
from tests.kit.redis_server import RedisServer
from tests.kit.running import running
from tests.kit.spread_redis import ONE_VALKEY
from tests.kit.store_fixtures import LinkMaker
from tests.kit.waiting import MS, wait_until


@dataclass(eq=False)
class Attending:
    """A session as far as the lists go."""

    sid: str
    user: str = "ann"
    name: str | None = None
    device: str | None = None
    ended: bool = False
    rooms: dict[str, int] = field(default_factory=dict)


def presence_of(link: RedisClient, node: str) -> Presence:
    """Return the presence as a node of that name keeps it."""
    return Presence(
        link, node=node, announce_users=10, counts=RoomCounts.of_presence(link)
    )


@pytest.fixture
def lists(link: RedisClient) -> Roster:
    """The lists at node n1; departures are told once it is started."""
    return Roster(presence_of(link, "n1"))


async def test_who_comes_back_before_the_departure_is_told_stays(
    lists: Roster, link: RedisClient, redis_client: Redis
) -> None:
    """Thousands leave at once; one of them joins again before their turn comes."""
    ann, bob = Attending("s1"), Attending("s2", "bob")
    for session in (ann, bob):
        await lists.add(session, "42")
        lists.remove_soon(session, "42")
    await lists.add(ann, "42")
    async with running(lists.run()):
        await wait_until(lambda: not lists.held()["departures"], "all are told")
        await link.call("PING")
        assert await redis_client.hkeys(keys.sessions("42")) == ["s1"]
        assert await redis_client.hgetall(keys.online("42")) == {"ann": "1"}
        lists.end(ann)

        async def gone() -> bool:
            return not await redis_client.exists(keys.sessions("42"))

        await wait_until(gone, "the departure is told when it is one")


async def test_who_comes_back_while_leaving_is_swept_with_the_node(
    lists: Roster, link: RedisClient, redis_client: Redis
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


async def test_who_left_is_on_no_list(lists: Roster, redis_client: Redis) -> None:
    """Also when leaving, coming back and leaving again overlap."""
    ann = Attending("s1")
    await lists.add(ann, "42")
    once = asyncio.create_task(lists.remove(ann, "42"))
    await asyncio.sleep(0)
    back = lists.add(ann, "42")
    again = asyncio.create_task(lists.remove(ann, "42"))
    await asyncio.gather(once, back, again)
    assert await redis_client.keys("*") == []


class CountingLink(RedisClient):
    """Counts the round trips that begin, by scripts."""

    begun = 0

    def run_script(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument]
    ) -> Awaitable[Any]:
        """Run it; others may be on their way already."""
        self.begun += not self.under_way
        return super().run_script(script, keys, args)


@ONE_VALKEY
async def test_a_crowd_is_taken_off_the_lists_in_a_few_round_trips(
    redis_url: str, redis_client: Redis
) -> None:
    """They left while Redis refused to note it; the lease must be renewed meanwhile."""
    factory = connection_factory(redis_url, timeout_seconds=5_000 * MS)
    link = CountingLink(factory, timeout_seconds=5_000 * MS, limit_calls=10_000)
    link.start()
    try:
        lists = Roster(presence_of(link, "n1"))
        crowd = [Attending(f"s{n}") for n in range(3 * RELIST_TOGETHER + 1)]
        await asyncio.gather(*(lists.add(session, "42") for session in crowd))
        for session in crowd[1:]:
            session.rooms.clear()
        lists.doubt()
        link.begun = 0
        await lists.reconcile()
        assert await redis_client.hkeys(keys.sessions("42")) == ["s0"]
        assert await redis_client.smembers(keys.node_sessions("n1")) == {"42 s0"}
        assert link.begun < 10
    finally:
        await link.aclose()


async def test_one_broken_list_keeps_nobody_off_the_others(
    lists: Roster, redis_client: Redis, caplog: pytest.LogCaptureFixture
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
    sessions[0].rooms.pop("41")
    await lists.reconcile()
    assert "cannot be taken off" in caplog.text
    assert await redis_client.hlen(keys.sessions("42")) == len(sessions) - 1


@pytest.mark.parametrize("way", ["leaves", "is swept"])
async def test_a_departure_is_through_though_redis_goes_back_in_its_middle(
    make_link: LinkMaker,
    redis_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    """The room names the session again; what leads the node to it must be there too."""
    async with make_link(timeout_seconds=8_000 * MS) as link:
        lists, ann = Roster(presence_of(link, "n1")), Attending("s1")
        await lists.add(ann, "42")
        redis_server.keep()
        call = link.call

        def after_a_loss(*command: Any, **more: Any) -> Any:
            if command[0] == "SREM":
                monkeypatch.undo()
                redis_server.go_back()
            return call(*command, **more)

        monkeypatch.setattr(link, "call", after_a_loss)
        if way == "leaves":
            await lists.remove(ann, "42")
        else:
            await presence_of(link, "n2").sweep("n1")
        assert redis_server.admin.keys("*") == []


async def test_lists_are_made_right_in_turns(
    lists: Roster, redis_client: Redis
) -> None:
    """What somebody deleted of them is there again after some looks."""
    for number in range(RELIST_TOGETHER + 1):
        await lists.add(Attending(f"s{number}"), "42")
    await redis_client.flushall()
    for _ in range(2):
        await lists.reconcile()
    assert await redis_client.hlen(keys.sessions("42")) == RELIST_TOGETHER + 1
    assert await redis_client.scard(keys.node_sessions("n1")) == RELIST_TOGETHER + 1


async def test_who_leaves_while_redis_is_away_is_taken_off_later(
    make_link: LinkMaker, redis_server: RedisServer, redis_client: Redis
) -> None:
    """The session is told that it is unknown, and the list follows all the same."""
    async with make_link() as link:
        lists = Roster(presence_of(link, "n1"))
        ann, bob = Attending("s1"), Attending("s2", "bob")
        for session in (ann, bob):
            await lists.add(session, "42")
        redis_server.pause()
        with pytest.raises(ChatError):
            await lists.remove(ann, "42")
        with pytest.raises(ChatError):
            await lists.reconcile()
        redis_server.resume()

        async def mended() -> bool:
            try:
                await lists.reconcile()
            except ChatError:
                return False
            return await redis_client.hkeys(keys.sessions("42")) == ["s2"]

        await wait_until(mended, "the list is right")


async def test_a_departure_that_redis_refuses_is_told_later(
    lists: Roster, redis_client: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """A broken list of one room keeps nobody on it for good."""
    ann = Attending("s1")
    await lists.add(ann, "42")
    await redis_client.set(keys.online("42"), "broken")
    async with running(lists.run()):
        lists.end(ann)
        await wait_until(lambda: "could not be told" in caplog.text, "it is logged")
        await redis_client.delete(keys.online("42"))
        await lists.reconcile()
        assert not await redis_client.exists(keys.sessions("42"))
