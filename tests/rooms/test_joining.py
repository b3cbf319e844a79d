"""Ways in and out of a room, alone and against each other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from realtime.errors import UnavailableError
from realtime.rooms.feed import Entry, RoomFeed
from realtime.rooms.recovery import Past, Recovery
from realtime.store import keys
from tests.kit.members import Member, all_see, member, text_of
from tests.kit.nodes import NAMESPACE, Node, run_nodes
from tests.kit.waiting import MS, wait_until

STRESS_JOINS = 200


@asynccontextmanager
async def chatter(nodes: list[Node], room: str = "42") -> AsyncIterator[Member]:
    """Let two talk as fast as they can, until the block ends; one is yielded."""
    ended = False

    async def talk(who: Member) -> None:
        number = 0
        while not ended:
            number += 1
            await who.send(f"{who.user}{number}", room)

    async with (
        member(nodes[0], "t1", room) as one,
        member(nodes[-1], "t2", room) as two,
        asyncio.TaskGroup() as talking,
    ):
        for who in (one, one, two, two):
            talking.create_task(talk(who))
        await wait_until(lambda: len(one.texts(room)) > 20, "they talk")
        try:
            yield one
        finally:
            ended = True


async def grows(who: Member, shown: int) -> None:
    """Return when the member has seen more messages than that."""
    await wait_until(lambda: len(who.seen["42"]) > shown, "it is live")


async def test_joins_in_full_traffic_miss_and_double_nothing(
    nodes: list[Node],
) -> None:
    """Each ack reaches exactly up to the session's first live event.

    A member checks that by itself: what follows the ack must follow on its cursor.
    """

    async def come_and_go(number: int) -> Member:
        node = nodes[number % len(nodes)]
        cursor = None
        async with member(node, f"j{number}") as who:
            for turn in range(10):
                answer = await who.join("42", cursor)
                assert answer["ok"], answer
                shown = len(who.seen["42"])
                await grows(who, shown)
                # Else what is live while the cursor travels would come twice.
                await who.do("leave", {"room": "42"})
                cursor = None if turn % 4 == 3 else who.cursors["42"]
                if turn % 4 == 3:
                    who.seen["42"].clear()
            return who

    async with chatter(nodes) as talker:
        joined = await asyncio.gather(*(come_and_go(n) for n in range(20)))
    assert sum(name == "join" for who in joined for name, _ in who.timeline) == (
        STRESS_JOINS
    )
    recovered = [
        answer["recovered"]
        for who in joined
        for name, answer in who.timeline
        if name == "join"
    ]
    assert sum(recovered) >= STRESS_JOINS // 2
    everything = {message["offset"]: message["uid"] for message in talker.seen["42"]}
    for who in joined:
        for message in who.seen["42"]:
            offset, uid = message["offset"], message["uid"]
            assert everything.get(offset, uid) == uid


async def test_the_ack_comes_before_the_first_live_event(nodes: list[Node]) -> None:
    """A client knows of the room before anything happens in it."""
    async with chatter(nodes):
        for number in range(20):
            async with member(nodes[number % len(nodes)], f"j{number}") as who:
                await who.join()
                await wait_until(lambda: len(who.timeline) > 3, "it is live")
                assert who.timeline[0][0] == "join"


async def test_joining_again_on_the_same_connection(nodes: list[Node]) -> None:
    """With its cursor a session gets what it missed, which is nothing, and stays."""
    async with (
        member(nodes[0], "ann", "42") as ann,
        member(nodes[-1], "bob", "42") as bob,
    ):
        await bob.send("one")
        await all_see([ann, bob], ["one"])
        again = await ann.join("42", ann.cursors["42"])
        assert (again["recovered"], again["events"]) == (True, [])
        await bob.send("two")
        await all_see([ann, bob], ["one", "two"])


async def test_two_joins_at_once(nodes: list[Node]) -> None:
    """One counts, the other may be asked again; afterwards the room is there once."""
    async with member(nodes[0], "ann") as ann, member(nodes[-1], "bob", "42") as bob:
        for _ in range(10):
            answers = await asyncio.gather(ann.join(), ann.join(), ann.join())
            assert any(each["ok"] for each in answers)
            for each in answers:
                assert each["ok"] or each["error"]["temporary"], each
            ann.seen["42"].clear()
            await bob.send("x")
            await wait_until(lambda: ann.texts() == ["x"], "it comes once")


async def test_a_session_that_joins_again_may_send_meanwhile(
    nodes: list[Node],
) -> None:
    """It attends all the time: a send is not refused because of a new join."""
    async with member(nodes[0], "ann", "42") as ann:
        for number in range(30):
            joining = asyncio.ensure_future(ann.join("42", ann.cursors["42"]))
            await asyncio.sleep(0)
            answer = await ann.ask("send", text_of(f"m{number}"))
            assert answer["ok"], answer
            assert (await joining)["ok"]
            # What was live while the next cursor travels would come twice.
            await all_see([ann], [f"m{each}" for each in range(number + 1)])


async def test_after_leave_nothing_comes(nodes: list[Node]) -> None:
    """Not even what was under way; the membership stays."""
    async with chatter(nodes), member(nodes[0], "ann") as ann:
        for _ in range(10):
            await ann.join()
            await ann.do("leave", {"room": "42"})
            shown = len(ann.seen["42"])
            await ann.do("rooms")
            assert len(ann.seen["42"]) == shown
        refused = await ann.refused("send", text_of("x"))
        assert refused["code"] == "not_attending"
        assert (await ann.do("history", {"room": "42", "limit": 1}))["messages"]


async def test_leave_wins_over_a_join_that_it_follows(nodes: list[Node]) -> None:
    """The later wish counts: who left is not brought back by an older join."""
    async with member(nodes[0], "ann") as ann, member(nodes[-1], "bob", "42") as bob:
        for number in range(20):
            joining = asyncio.ensure_future(ann.join())
            await asyncio.sleep(0)
            await ann.do("leave", {"room": "42"})
            await joining
            ann.seen["42"].clear()
            await bob.send(f"m{number}")
            await bob.next("message", text=f"m{number}")
            await ann.do("rooms")
            assert ann.seen["42"] == []
            ann.seen["42"].clear()


async def test_quit_ends_it_for_all_the_user_s_sessions(nodes: list[Node]) -> None:
    """On every node; somebody else's session of that room is not concerned."""
    async with (
        member(nodes[0], "ann", "42") as phone,
        member(nodes[-1], "ann", "42", "43") as laptop,
        member(nodes[-1], "bob", "42") as bob,
    ):
        await phone.do("quit", {"room": "42"})
        assert (await phone.refused("send", text_of("x")))["code"] == "not_attending"
        assert await bob.next("presence", user="ann", online=False)

        async def out() -> bool:
            answer = await laptop.ask("send", text_of("x"))
            return bool(not answer["ok"] and answer["error"]["code"] == "not_attending")

        await wait_until(out, "the other session is out as well")
        await bob.send("hello")
        await all_see([bob], ["hello"])
        await laptop.send("still here", "43")
        assert laptop.texts("42") == phone.texts("42") == []
        history = await laptop.refused("history", {"room": "42"})
        assert history["code"] == "forbidden"


async def test_who_quits_no_longer_counts(nodes: list[Node]) -> None:
    """The others are told how the room stands without them, on every node."""
    async with (
        member(nodes[0], "ann", "42") as ann,
        member(nodes[-1], "bob", "42") as bob,
    ):
        await ann.do("quit", {"room": "42"})
        state = await bob.next("state", memberCount=1)
        assert state["reads"].keys() == {"bob"}


@pytest.mark.parametrize("event", ["leave", "quit"])
async def test_repeating_the_way_out_is_fine(nodes: list[Node], event: str) -> None:
    """Also for who was never in."""
    async with member(nodes[0], "ann") as ann:
        await ann.do(event, {"room": "42"})
        await ann.join()
        await ann.do(event, {"room": "42"})
        await ann.do(event, {"room": "42"})


async def test_a_session_joins_as_many_rooms_at_once_as_it_may_attend(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A room counts once while it is being joined, also where two joins are of it."""
    async with (
        run_nodes(1, redis_url, session_rooms=2) as (node,),
        member(node, "ann") as ann,
    ):
        past = Recovery.past
        listed, go_on = asyncio.Event(), asyncio.Event()

        async def long_past(recovery: Recovery, feed: RoomFeed, *asked: Any) -> Past:
            listed.set()
            await go_on.wait()
            return await past(recovery, feed, *asked)

        monkeypatch.setattr(Recovery, "past", long_past)
        joining = [asyncio.ensure_future(ann.join("1"))]
        await listed.wait()
        monkeypatch.undo()
        assert (await ann.join("2"))["ok"]
        assert (await ann.refused("join", {"room": "3"}))["code"] == "too_large"
        joining.append(asyncio.ensure_future(ann.join("1")))
        assert (await joining[1])["ok"]
        go_on.set()
        await joining[0]
        answers = await ann.sync({"room": "1"}, {"room": "2"})
        assert [each["ok"] for each in answers] == [True, True]


async def test_a_join_that_was_overtaken_leaves_nobody_listed(
    redis_url: str, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is told to ask again does not attend, and is not shown as here."""
    async with (
        run_nodes(1, redis_url, lease_seconds=400 * MS) as (node,),
        member(node, "bob", "42"),
        member(node, "ann") as ann,
    ):
        past = Recovery.past

        def overtaken(
            recovery: Recovery, feed: RoomFeed, entry: Entry, *asked: Any
        ) -> object:
            # As more than 1,000 events do it.
            entry.broken = True
            return past(recovery, feed, entry, *asked)

        monkeypatch.setattr(Recovery, "past", overtaken)
        assert (await ann.join())["error"]["code"] == "unavailable"
        await _online_are(redis_client, ["bob"])
        monkeypatch.undo()
        assert (await ann.join())["ok"]
        await _online_are(redis_client, ["ann", "bob"])


async def test_a_second_join_that_is_unavailable_changes_nothing(
    redis_url: str, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who attended still does, and misses nothing of what was said meanwhile."""
    async with (
        run_nodes(1, redis_url, lease_seconds=400 * MS) as (node,),
        member(node, "bob", "42") as bob,
        member(node, "ann", "42") as ann,
    ):
        past = Recovery.past

        async def refused(recovery: Recovery, feed: RoomFeed, *asked: Any) -> Past:
            await past(recovery, feed, *asked)
            await bob.send("meanwhile")
            raise UnavailableError("Redis is away.")

        monkeypatch.setattr(Recovery, "past", refused)
        assert (await ann.join("42", "0:"))["error"]["code"] == "unavailable"
        monkeypatch.undo()
        await bob.send("after")
        await all_see([ann, bob], ["meanwhile", "after"])
        await ann.send("here")
        await _online_are(redis_client, ["ann", "bob"])


async def test_a_second_join_that_was_overtaken_is_told_to_reload(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What passed is too much to be kept; it attends, and is told that it missed it."""
    async with (
        run_nodes(1, redis_url) as (node,),
        member(node, "ann", "42") as ann,
    ):
        past = Recovery.past

        def overtaken(
            recovery: Recovery, feed: RoomFeed, entry: Entry, *asked: Any
        ) -> object:
            entry.broken = True
            return past(recovery, feed, entry, *asked)

        monkeypatch.setattr(Recovery, "past", overtaken)
        assert (await ann.join())["error"]["code"] == "unavailable"
        monkeypatch.undo()
        await ann.next("reload", room="42")
        await ann.send("here")
        await all_see([ann], ["here"])


async def test_the_earlier_of_two_second_joins_loses_nothing(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What passed during one is heard, though the other took its place and failed."""
    async with (
        run_nodes(1, redis_url) as (node,),
        member(node, "bob", "42") as bob,
        member(node, "ann", "42") as ann,
    ):
        past = Recovery.past
        began, go_on = asyncio.Event(), asyncio.Event()

        async def held_up(recovery: Recovery, feed: RoomFeed, *asked: Any) -> Past:
            await past(recovery, feed, *asked)
            began.set()
            await go_on.wait()
            raise UnavailableError("Redis is away.")

        monkeypatch.setattr(Recovery, "past", held_up)
        first = asyncio.ensure_future(ann.join("42", "0:"))
        await began.wait()
        await bob.send("during the first")
        began.clear()
        second = asyncio.ensure_future(ann.join("42", "0:"))
        await began.wait()
        await bob.send("during the second")
        go_on.set()
        for answer in (await first, await second):
            assert answer["error"]["code"] == "unavailable"
        await bob.send("after")
        await all_see([ann, bob], ["during the first", "during the second", "after"])


async def test_a_join_that_fails_after_it_took_another_s_place_leaves_nobody_listed(
    redis_url: str, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one had listed the session, and left that to the second one."""
    async with (
        run_nodes(1, redis_url, lease_seconds=400 * MS) as (node,),
        member(node, "bob", "42"),
        member(node, "ann") as ann,
    ):
        past = Recovery.past
        first, second = asyncio.Event(), asyncio.Event()
        began = asyncio.Queue[str]()

        async def long_past(recovery: Recovery, feed: RoomFeed, *asked: Any) -> Past:
            found = await past(recovery, feed, *asked)
            began.put_nowait("first")
            await first.wait()
            return found

        async def never_there(*_asked: object) -> bool:
            began.put_nowait("second")
            await second.wait()
            return True

        monkeypatch.setattr(Recovery, "past", long_past)
        joining = [asyncio.ensure_future(ann.join())]
        assert await began.get() == "first"
        monkeypatch.setattr(Recovery, "is_ahead", never_there)
        joining.append(asyncio.ensure_future(ann.join()))
        assert await began.get() == "second"
        for go_on, answer in zip((first, second), joining, strict=True):
            go_on.set()
            assert (await answer)["error"]["code"] == "unavailable"
        await _online_are(redis_client, ["bob"])


async def test_a_node_that_goes_gives_joins_under_way_up(
    redis_url: str, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of a `sync` as well: nobody is listed who will never attend."""
    past, hanging = Recovery.past, list[str]()

    async def hangs(recovery: Recovery, feed: RoomFeed, *asked: Any) -> Past:
        if feed.room == "far":
            hanging.append(feed.room)
            await asyncio.Event().wait()
        return await past(recovery, feed, *asked)

    monkeypatch.setattr(Recovery, "past", hangs)
    async with (
        run_nodes(1, redis_url, drain_seconds=0) as (node,),
        member(node, "ann") as ann,
    ):
        rooms = [{"room": "near"}, {"room": "far"}]
        await ann.sio.emit("sync", {"rooms": rooms}, namespace=NAMESPACE)
        await wait_until(lambda: hanging, "one room takes its time")
    for room in ("near", "far"):
        assert not await redis_client.exists(keys.sessions(room))


async def test_a_join_right_behind_a_refused_send_counts(
    nodes: list[Node], redis_client: Redis
) -> None:
    """Redis lost a membership; the way back is not closed by the refusal before it."""
    async with member(nodes[0], "ann", "42") as ann, member(nodes[-1], "bob", "42"):
        for number in range(10):
            await redis_client.hdel(keys.members("42"), "ann")
            sending = asyncio.ensure_future(ann.ask("send", text_of("lost")))
            await asyncio.sleep(0)
            assert (await ann.join())["ok"]
            assert (await sending)["error"]["code"] == "not_attending"
            await ann.send(f"m{number}")
            await ann.next("message", text=f"m{number}")


async def _online_are(redis_client: Redis, users: list[str]) -> None:
    """Return when exactly these are shown as here."""

    async def are() -> bool:
        return sorted(await redis_client.hkeys(keys.online("42"))) == users

    await wait_until(are, f"{users} are here, and nobody else")
