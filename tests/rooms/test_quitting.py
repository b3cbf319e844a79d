"""Quitting, against what is under way and what fails meanwhile."""

import asyncio
import time

import pytest
from redis.asyncio import Redis

from realtime.errors import OutcomeUnknownError
from realtime.rooms import room_states
from realtime.store import keys
from tests.kit.members import Member, all_see, member
from tests.kit.nodes import Node, run_nodes
from tests.kit.redis_server import RedisServer
from tests.kit.spread_redis import ONE_VALKEY
from tests.kit.waiting import MS, wait_until

# Soon over, and longer than a busy disk keeps an answer back.
PATIENCE_SECONDS = 1_500 * MS
# Of one user, as fast as they can.
QUITS = 40


async def listed(who: Member) -> list[str]:
    """Return the rooms that a user is told they are a member of."""
    return [each["room"] for each in (await who.do("rooms"))["rooms"]]


async def test_a_join_right_behind_a_quit_counts(
    nodes: list[Node], redis_client: Redis
) -> None:
    """Sent together by one session: it is a member, attends, and finds the room."""
    async with member(nodes[0], "ann", "42") as ann, member(nodes[-1], "bob", "42"):
        for number in range(10):
            quitting = asyncio.ensure_future(ann.ask("quit", {"room": "42"}))
            await asyncio.sleep(0)
            joined = await ann.join()
            assert (await quitting)["ok"]
            assert joined["ok"], joined
            assert await redis_client.hexists(keys.members("42"), "ann")
            assert await listed(ann) == ["42"]
            ann.seen["42"].clear()
            await ann.send(f"m{number}")
            await ann.next("message", text=f"m{number}")


async def test_a_quit_right_behind_a_join_counts(
    nodes: list[Node], redis_client: Redis
) -> None:
    """Also for a first join: no membership is left, and nothing on the list."""
    async with member(nodes[0], "ann") as ann, member(nodes[-1], "bob", "42"):
        for _ in range(10):
            joining = asyncio.ensure_future(ann.join())
            await asyncio.sleep(0)
            await ann.do("quit", {"room": "42"})
            await joining
            assert not await redis_client.hexists(keys.members("42"), "ann")
            assert not await redis_client.smembers(keys.user_rooms("ann"))


async def test_a_quit_that_redis_did_not_get_changes_nothing(
    redis_server: RedisServer,
) -> None:
    """`unavailable`: the session attends as before, and is a member."""
    async with run_nodes(
        1, redis_server.url, redis_timeout_seconds=PATIENCE_SECONDS
    ) as (node,):
        services = node.services
        async with member(node, "ann", "42") as ann:
            redis_server.kill()
            error = await ann.refused("quit", {"room": "42"})
            assert error["code"] == "unavailable"
            assert services.attendance.attends(ann.sio.get_sid("/chat"), "42")
            redis_server.start()

            async def is_listed() -> bool:
                return bool((await ann.ask("rooms")).get("rooms"))

            await wait_until(is_listed, "ann is a member still")


@ONE_VALKEY
async def test_a_quit_that_was_carried_out_is_not_called_unavailable(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis goes away between its two steps: `unknown`, and repeating it is fine."""
    async with run_nodes(
        1, redis_server.url, redis_timeout_seconds=PATIENCE_SECONDS
    ) as (node,):
        rooms, link = node.services.memberships, node.parts.redis
        quit_room = rooms.quit

        async def quit_then_outage(room: str, user: str) -> None:
            await quit_room(room, user)
            redis_server.kill()
            await wait_until(lambda: not link.connected, "Redis is away")

        async with member(node, "ann", "42") as ann:
            monkeypatch.setattr(rooms, "quit", quit_then_outage)
            error = await ann.refused("quit", {"room": "42"})
            assert error["code"] == "unknown"
            assert await ann.next("membership_ended") == {"room": "42"}
            monkeypatch.undo()
            redis_server.start()
            await wait_until(lambda: link.connected, "Redis is back")
            await ann.do("quit", {"room": "42"})
            assert await listed(ann) == []


async def test_a_quit_whose_answer_was_lost_ends_it_everywhere(
    nodes: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All devices hear of it, the one that asked as well, without a repetition."""
    rooms = nodes[0].services.memberships
    quit_room = rooms.quit

    async def unheard(room: str, user: str) -> None:
        await quit_room(room, user)
        raise OutcomeUnknownError("Redis did not answer in time.")

    async with (
        member(nodes[0], "ann", "42") as desk,
        member(nodes[-1], "ann", "42") as phone,
    ):
        monkeypatch.setattr(rooms, "quit", unheard)
        assert (await desk.refused("quit", {"room": "42"}))["code"] == "unknown"
        for device in (desk, phone):
            assert await device.next("membership_ended") == {"room": "42"}


async def test_a_device_that_was_away_does_not_bring_the_membership_back(
    nodes: list[Node],
) -> None:
    """It is told so, and nobody that it came; who joins without a cursor is back."""
    back = ("presence", {"room": "42", "user": "ann", "online": True})
    async with (
        member(nodes[0], "bob", "42") as bob,
        member(nodes[0], "ann", "42") as desk,
    ):
        async with member(nodes[-1], "ann", "42") as phone:
            await desk.send("one")
            await all_see([bob, desk, phone], ["one"])
            assert back in bob.kept
            bob.kept.clear()
            cursor = phone.cursors["42"]
        await desk.do("quit", {"room": "42"})
        async with member(nodes[-1], "ann") as phone:
            for answer in (
                await phone.ask("join", {"room": "42", "cursor": cursor}),
                (await phone.sync({"room": "42", "cursor": cursor}))[0],
            ):
                assert answer["error"]["code"] == "forbidden"
            assert await listed(phone) == []
            await phone.refused("history", {"room": "42"})
            await bob.send("two")
            await bob.next("message", text="two")
            assert back not in bob.kept
            assert (await phone.join("42"))["ok"]
            await bob.next("presence", user="ann", online=True)
            assert await listed(phone) == ["42"]


async def test_quitting_again_and_again_is_told_together(redis_url: str) -> None:
    """One user's quits cost the others no more than a `state` a second."""
    async with (
        run_nodes(1, redis_url) as (node,),
        member(node, "bob", "42") as bob,
        member(node, "ann") as ann,
    ):
        began = time.monotonic()
        for _ in range(QUITS):
            await ann.join("42")
            await ann.do("quit", {"room": "42"})
        await bob.send("the end")
        await bob.next("message", text="the end")
        seconds = time.monotonic() - began
        states = sum(name == "state" for name, _ in bob.timeline)
        assert states <= 1 + seconds / room_states.STATE_SECONDS
        # The last one tells how it stands.
        await bob.next("state", memberCount=1)
