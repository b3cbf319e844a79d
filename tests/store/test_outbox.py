"""The rooms' logs as an outbox: what was written is found, whoever has ended."""

import pytest
from redis.asyncio import Redis

from realtime.errors import UnavailableError
from realtime.redis.client import RedisClient
from realtime.store import events, keys, outbox
from realtime.store.hook_queues import HookQueues
from realtime.store.message_changes import MessageChanges
from realtime.store.outbox import Outbox
from realtime.store.scripts import OutboxPage
from tests.kit.redis_server import RedisServer
from tests.kit.store_fixtures import LinkMaker, make_log, sender
from tests.kit.waiting import MS, wait_until


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have rooms looked at soon."""
    monkeypatch.setattr(outbox, "LOOK_MS", round(300_000 * MS))
    monkeypatch.setattr(outbox, "CLAIM_MS", round(300_000 * MS))


@pytest.fixture
async def member(redis_client: Redis) -> None:
    """Ann is a member of room 42."""
    await redis_client.hset(keys.members("42"), "ann", '{"role":"member"}')


def texts(page: OutboxPage | None) -> list[str]:
    assert page is not None
    return [event.get("text", "") for _, event in events.decode(page.events)]


@pytest.mark.usefixtures("member")
async def test_what_a_node_wrote_that_ended_is_found(link: RedisClient) -> None:
    """Not at once: its node is given the time to pass it on."""
    ended, other = Outbox(link, node="a"), Outbox(link, node="b")
    await sender(make_log(link, outbox=ended))("hello")
    assert (await other.take(10)).rooms == []

    async def taken() -> list[str]:
        return (await other.take(10)).rooms

    await wait_until(taken, "the room is due")
    assert texts(await other.read("42")) == ["hello"]


@pytest.mark.usefixtures("member")
async def test_nothing_is_written_that_could_not_be_noted(
    link: RedisClient, redis_client: Redis
) -> None:
    """The sender is told that nothing was stored; an own key of the name, say."""
    await redis_client.set(keys.OUTBOX, "no sorted set")
    log = make_log(link, outbox=Outbox(link, node="a"))
    with pytest.raises(Exception, match="WRONGTYPE"):
        await sender(log)("hello")
    assert await redis_client.exists(keys.log("42")) == 0


async def test_without_an_answer_nothing_is_written(
    make_link: LinkMaker, redis_server: RedisServer
) -> None:
    """It may be sent again, without a doubt about what was stored."""
    async with make_link(timeout_seconds=300 * MS) as link:
        await link.call("PING")
        redis_server.pause()
        with pytest.raises(UnavailableError):
            await sender(make_log(link, outbox=Outbox(link, node="a")))("hello")
        redis_server.resume()


@pytest.mark.usefixtures("member")
async def test_a_room_is_forgotten_only_if_nobody_has_written_since(
    link: RedisClient, redis_client: Redis
) -> None:
    """A mark that is made after the taking wins over the end of the look."""
    one, other = Outbox(link, node="a"), Outbox(link, node="b")
    await redis_client.zadd(keys.OUTBOX, {"42": 0, "43": 0})
    taken = await one.take(10)
    assert sorted(taken.rooms) == ["42", "43"]
    assert (await other.take(10)).rooms == []
    await other.mark("42")
    assert [await each for each in one.clear(taken.rooms, taken.score)].count(True) == 1
    assert await redis_client.zrange(keys.OUTBOX, 0, -1) == ["42"]


@pytest.mark.usefixtures("member")
async def test_one_node_at_a_time_has_a_room(link: RedisClient) -> None:
    """It gives it back when nothing is left, or loses it when it takes too long."""
    one, other = Outbox(link, node="a"), Outbox(link, node="b")
    send = sender(make_log(link))
    await send("one")
    first = await one.read("42")
    assert texts(first) == ["one"]
    await send("two")
    assert await other.read("42") is None
    assert first is not None
    assert await one.confirm("42", first)
    second = await one.read("42")
    assert texts(second) == ["two"]

    async def late() -> bool:
        return await other.read("42") is not None

    await wait_until(late, "the claim ends")
    # It is the other one's now: what comes late changes nothing.
    assert second is not None
    assert not await one.confirm("42", second)
    page = await other.read("42")
    assert texts(page) == ["two"]
    assert page is not None
    assert not await other.confirm("42", page)
    assert texts(await one.read("42")) == []


@pytest.mark.usefixtures("member")
async def test_what_is_older_than_all_endpoints_is_passed_over(
    link: RedisClient, redis_client: Redis
) -> None:
    """Whatever the moment is, exactly what is not older is read."""
    for offset, at in enumerate([10, 10, 20, 30, 30, 30, 40], start=1):
        event = f'["message",{{"offset":{offset},"uid":"u","text":"{offset}"}}]'
        await redis_client.execute_command(
            *("XADD", keys.log("42"), f"{offset}-0"),
            *("uid", "u", "at", at, "event", event),
        )
    for since, first in ((1, 1), (10, 1), (11, 3), (20, 3), (30, 4), (31, 7), (41, 8)):
        follower = Outbox(link, node="a")
        follower.since = since
        assert texts(await follower.read("42")) == [str(n) for n in range(first, 8)]


@pytest.mark.usefixtures("member")
async def test_what_was_trimmed_before_is_counted(
    link: RedisClient, redis_client: Redis
) -> None:
    """It is said how many events are lost; the rest is read."""
    follower = Outbox(link, node="a")
    send = sender(make_log(link))
    await send("one")
    page = await follower.read("42")
    assert page is not None
    await follower.confirm("42", page)
    for text in ("two", "three", "four"):
        await send(text)
    await redis_client.xtrim(keys.log("42"), minid="4", approximate=False)
    page = await follower.read("42")
    assert texts(page) == ["four"]
    assert page is not None
    assert page.lost == 2


@pytest.mark.usefixtures("member")
async def test_words_that_were_deleted_are_not_read(link: RedisClient) -> None:
    """An endpoint that was down when they were sent never gets them."""
    log = make_log(link)
    changes = MessageChanges(link, log, edit_seconds=60, announce_members=100)
    await sender(log)("a secret")
    await changes.delete(room="42", user="ann", message=1)
    page = await Outbox(link, node="a").read("42")
    assert page is not None
    assert [name for name, _ in events.decode(page.events)] == [
        "message",
        "message_deleted",
    ]
    assert b"a secret" not in b"".join(page.events)


async def test_a_queue_counts_its_bytes(link: RedisClient, redis_client: Redis) -> None:
    """When all was delivered, or given up and forgotten, none are left."""
    queues = HookQueues(link, limit_bytes=2_000)
    for number in range(30):
        await queues.enqueue(
            "app",
            event_id=f"msg_{number}",
            kind="message.created",
            room="42",
            body=b"x" * (number * 10),
        )
    state = keys.hook("app").state
    assert 0 < int(await redis_client.hget(state, "bytes") or 0) <= 2_000
    assert 0 < int(await redis_client.hget(state, "deadBytes") or 0) <= 2_000
    (letter, *_) = await queues.dead("app", after="", limit=10)
    assert await queues.replay("app", letter.entry)
    page = await queues.page("app", "")
    for entry in page.entries[:-1]:
        await queues.done("app", entry)
        await queues.done("app", entry)
    await queues.later("app", page.entries[-1], wait_ms=0, tried=1)
    (due,) = await queues.due("app", ahead_ms=1, limit=10)
    assert (due.event_id, due.tries) == (letter.event_id, 1)
    assert (await queues.page("app", "")).entries == []
    await queues.bury("app", due, why="failed", tried=2)
    assert await redis_client.hget(state, "bytes") == "0"
    assert await redis_client.exists(*keys.hook("app")[:1], *keys.hook("app")[2:4]) <= 1


async def test_one_node_delivers(link: RedisClient) -> None:
    """Until its lease ends, or it gives the endpoint up."""
    queues = HookQueues(link, limit_bytes=2_000)
    assert await queues.own("app", "a", lease_ms=60_000)
    assert not await queues.own("app", "b", lease_ms=60_000)
    assert not await queues.own("app", "b", lease_ms=0)
    assert await queues.own("app", "a", lease_ms=60_000)
    await queues.own("app", "a", lease_ms=0)
    assert await queues.own("app", "b", lease_ms=60_000)
