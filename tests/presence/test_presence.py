"""Who is here: by session over all nodes, each coming and going announced once."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from realtime.presence.presence import Presence
from realtime.presence.room_counts import RoomCounts
from realtime.redis.client import RedisClient
from realtime.store import keys
from realtime.store.room_snapshot import RoomSnapshots
from tests.kit.store_fixtures import said
from tests.kit.waiting import wait_until

ANNOUNCE_USERS = 3
Place = Callable[..., Presence]


@pytest.fixture
def at(link: RedisClient, counts: RoomCounts) -> Place:
    """Return the presence as a node of that name keeps it."""

    def make(node: str, through: RedisClient | None = None) -> Presence:
        return Presence(
            through or link,
            node=node,
            announce_users=ANNOUNCE_USERS,
            counts=counts,
        )

    return make


@pytest.fixture
def presence(at: Place) -> Presence:
    """The presence at one node."""
    return at("n1")


def change(user: str, online: bool) -> list[Any]:
    """Return the announcement of a coming or going."""
    return ["presence", {"room": "42", "user": user, "online": online}]


async def enter(presence: Presence, user: str, device: str = "d1") -> str:
    """Enter a session of a user's device; return its id."""
    sid = f"{user}-{device}"
    await presence.enter(room="42", sid=sid, user=user, device=device)
    return sid


async def online(states: RoomSnapshots, room: str = "42") -> tuple[object, object]:
    """Return who a join would be told is here, and how many."""
    state = (await states.read(room)).to_wire()
    return state["online"], state["onlineCount"]


async def test_two_devices_are_one_user(
    at: Place, channel: PubSub, redis_client: Redis, states: RoomSnapshots
) -> None:
    """The first one to come and the last one to go are announced, on any node."""
    one, two = at("n1"), at("n2")
    first = await enter(one, "ann", "phone")
    second = await enter(two, "ann", "laptop")
    assert await online(states) == (["ann"], 1)
    assert await said(channel, redis_client) == [change("ann", True)]
    await one.leave(room="42", sid=first)
    assert await online(states) == (["ann"], 1)
    assert await said(channel, redis_client) == []
    await two.leave(room="42", sid=second)
    assert await online(states) == ([], 0)
    assert await said(channel, redis_client) == [change("ann", False)]


async def test_the_room_s_session_list(presence: Presence, redis_client: Redis) -> None:
    """Each session with its user, node and device."""
    sid = await enter(presence, "ann", "phone")
    found: Any = await redis_client.hgetall(keys.sessions("42"))
    entry = json.loads(found[sid])
    assert (entry["user"], entry["node"], entry["device"]) == ("ann", "n1", "phone")
    assert await redis_client.smembers(keys.node_sessions("n1")) == {f"42 {sid}"}


async def test_repeating_changes_nothing(
    presence: Presence, channel: PubSub, redis_client: Redis, states: RoomSnapshots
) -> None:
    """A join on a connection that attends already; a leave that is sent twice."""
    sid = await enter(presence, "ann")
    for _ in range(3):
        await enter(presence, "ann")
    for _ in range(3):
        await presence.leave(room="42", sid=sid)
    await presence.leave(room="42", sid="never")
    assert await said(channel, redis_client) == [
        change("ann", True),
        change("ann", False),
    ]
    assert await online(states) == ([], 0)


async def test_a_swallowed_answer_counts_once(
    at: Place, twice_link: RedisClient, channel: PubSub, redis_client: Redis
) -> None:
    """The link repeats a script after a cut."""
    presence = at("n1", twice_link)
    sid = await enter(presence, "ann")
    await presence.leave(room="42", sid=sid)
    assert await said(channel, redis_client) == [
        change("ann", True),
        change("ann", False),
    ]


async def test_nothing_is_left_of_who_left(
    presence: Presence, redis_client: Redis
) -> None:
    """A room that everybody left takes no memory."""
    sids = [await enter(presence, user) for user in ("ann", "bob")]
    for sid in sids:
        await presence.leave(room="42", sid=sid)
    assert await redis_client.keys("*") == []


async def test_names_are_told_as_they_are(
    presence: Presence, channel: PubSub, redis_client: Redis, states: RoomSnapshots
) -> None:
    """Quotes and other letters in a name break nothing."""
    name = 'o"brien\\ 김/é|x@y'
    sid = await enter(presence, name)
    assert await online(states) == ([name], 1)
    await presence.leave(room="42", sid=sid)
    assert await said(channel, redis_client) == [
        change(name, True),
        change(name, False),
    ]


async def test_a_large_room_has_a_count_only(
    presence: Presence, channel: PubSub, redis_client: Redis, states: RoomSnapshots
) -> None:
    """Up to the limit each one is named; above it the last count is told in time."""
    for user in ("ann", "bob", "cid"):
        await enter(presence, user)
    assert await said(channel, redis_client) == [
        change("ann", True),
        change("bob", True),
        change("cid", True),
    ]
    sid = await enter(presence, "dan")
    assert await online(states) == (None, 4)
    told: list[Any] = []

    async def counted(expected: int) -> bool:
        told.extend(await said(channel, redis_client))
        return ["presence", {"room": "42", "onlineCount": expected}] in told

    await wait_until(lambda: counted(4), "the count is told")
    await presence.leave(room="42", sid=sid)
    await wait_until(lambda: counted(3), "the lower count is told")
    assert all("user" not in event[1] for event in told)


async def test_a_dead_node_is_swept(
    at: Place, channel: PubSub, redis_client: Redis, states: RoomSnapshots
) -> None:
    """All its sessions go, in every room; those of other nodes stay."""
    dead, alive = at("dead"), at("alive")
    await enter(dead, "ann", "phone")
    await enter(dead, "bob", "phone")
    await enter(alive, "bob", "laptop")
    await dead.enter(room="43", sid="x", user="ann", device=None)
    await said(channel, redis_client)
    assert await alive.sweep("dead") == 3
    assert await said(channel, redis_client) == [change("ann", False)]
    assert await online(states) == (["bob"], 1)
    assert await online(states, "43") == ([], 0)
    assert not await redis_client.exists(keys.node_sessions("dead"))
    assert await alive.sweep("dead") == 0


async def test_two_nodes_that_sweep_announce_once(
    at: Place, channel: PubSub, redis_client: Redis
) -> None:
    """Whoever removes a session announces it; a thousand of them, at once."""
    dead = at("dead")
    users = [f"u{number}" for number in range(1000)]
    await asyncio.gather(*(enter(dead, user) for user in users))
    # A small room again, so that each departure is announced by name.
    await redis_client.delete(keys.online("42"))
    for user in users[:ANNOUNCE_USERS]:
        await redis_client.hset(keys.online("42"), user, "1")
    await said(channel, redis_client)
    await asyncio.gather(at("a").sweep("dead"), at("b").sweep("dead"))
    told = [event for event in await said(channel, redis_client) if "user" in event[1]]
    named = [event[1]["user"] for event in told]
    assert len(named) == len(set(named))
    assert set(users[:ANNOUNCE_USERS]) <= set(named)
    assert await redis_client.hlen(keys.sessions("42")) == 0


@pytest.mark.parametrize("lost", [keys.sessions, keys.online])
async def test_a_list_that_was_lost_comes_back(
    at: Place, redis_client: Redis, states: RoomSnapshots, lost: Callable[[str], str]
) -> None:
    """Somebody deleted a key: nobody stays listed who is gone, nobody stays away."""
    one, two = at("n1"), at("n2")
    await enter(one, "ann", "phone")
    await enter(two, "ann", "laptop")
    await enter(two, "bob")
    await redis_client.delete(lost("42"))
    # Each node lists its sessions again in turns; one of them ends before that.
    await one.leave(room="42", sid="ann-phone")
    for user, device in (("ann", "laptop"), ("bob", "d1")):
        await enter(two, user, device)
    assert await online(states) == (["ann", "bob"], 2)
    assert await redis_client.hgetall(keys.online("42")) == {"ann": "1", "bob": "1"}
    await two.leave_all([("42", "ann-laptop"), ("42", "bob-d1")])
    assert await online(states) == ([], 0)
