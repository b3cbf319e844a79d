"""Appending: numbered, stored and published in one step, once for each clientId."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from realtime.errors import ForbiddenError, OutcomeUnknownError, UnavailableError
from realtime.redis.client import RedisClient
from realtime.redis.script import Script
from realtime.store import keys, scripts
from realtime.store.membership import Memberships
from realtime.store.message_log import MessageLog
from tests.kit.redis_server import RedisServer
from tests.kit.store_fixtures import LinkMaker, Send, make_log, sender
from tests.kit.waiting import DEADLINE_SECONDS, MS, wait_until

At = Callable[[int], Awaitable[Any]]

# Soon over, and longer than a busy disk keeps an answer back.
PATIENCE_SECONDS = 1_500 * MS


@pytest.fixture(autouse=True)
async def members(rooms: Memberships) -> None:
    """Ann and bob are members of room 42, ann of room 43."""
    for room, user in (("42", "ann"), ("42", "bob"), ("43", "ann")):
        await rooms.admit(room, user)


async def stored(redis_client: Redis, room: str = "42") -> list[Any]:
    """Return the events that a room's log holds."""
    entries: Any = await redis_client.xrange(keys.log(room))
    return [json.loads(fields["event"]) for _, fields in entries]


async def test_messages_are_numbered_without_holes(send: Send) -> None:
    """From 1, in the order of the calls, each room for itself."""
    results = await asyncio.gather(*(send(str(n)) for n in range(50)))
    assert [each.message for each in results] == list(range(1, 51))
    assert [each.offset for each in results] == list(range(1, 51))
    assert len({each.uid for each in results}) == 50
    other = await send("x", room="43")
    assert (other.message, other.offset) == (1, 1)


async def test_what_is_stored_is_what_is_published(
    send: Send, redis_client: Redis, channel: PubSub
) -> None:
    """One JSON array a message, offset and uid first; log and history agree."""
    sent = await send('"quoted" 안녕 🎉\n', client_id="c-1")
    published: Any = await channel.get_message(timeout=DEADLINE_SECONDS)
    event = json.loads(published["data"])
    assert list(event[1])[:2] == ["offset", "uid"]
    assert event == [
        "message",
        {
            "offset": 1,
            "uid": sent.uid,
            "message": 1,
            "room": "42",
            "user": "ann",
            "type": "text",
            "text": '"quoted" 안녕 🎉\n',
            "clientId": "c-1",
            "at": sent.at,
        },
    ]
    assert await stored(redis_client) == [event]
    kept = await redis_client.hget(keys.messages("42"), "1")
    assert json.loads(str(kept)) == event[1]


async def test_times_never_go_back(send: Send, redis_client: Redis) -> None:
    """A server's clock that is set back does not make a later message look older."""
    first = await send()
    ahead = first.at + 60_000
    await redis_client.hset(keys.meta("42"), "at", str(ahead))
    assert (await send()).at == ahead
    assert abs(first.at - 1000 * (await redis_client.time())[0]) < 60_000


async def test_a_lowered_limit_of_the_history_is_kept_soon(
    link: RedisClient, redis_client: Redis
) -> None:
    """Some with each message; what is gone is told so, at whatever limit later."""
    send = sender(make_log(link))
    await asyncio.gather(*(send() for _ in range(250)))
    low = sender(make_log(link, history_limit=10))
    for number in range(3):
        await low(client_id=f"low{number}")
    assert await redis_client.hlen(keys.messages("42")) == 10
    again = make_log(link)
    page = await again.history(room="42", before=245, limit=100)
    assert [json.loads(each)["message"] for each in page.messages] == [244]
    assert (page.more, page.first_available) == (False, 244)


@pytest.mark.parametrize("lost", [["meta"], ["meta", "log"], ["offset"]])
async def test_a_room_whose_meta_is_lost_goes_on(
    link: RedisClient, redis_client: Redis, lost: list[str]
) -> None:
    """Numbers and offsets follow on what is there; nothing is `internal`."""
    log = make_log(link)
    send = sender(log)
    before = [await send() for _ in range(3)]
    if "offset" in lost:
        # An older one, of a copy.
        await redis_client.hset(keys.meta("42"), "offset", "1")
    for part in lost:
        await redis_client.delete(f"{{chatroom-42}}:{part}")
    if "meta" in lost:
        assert await log.top("42") == (before[2].offset, before[2].uid)
    if "log" not in lost:
        await redis_client.delete(keys.meta("42"))
    after = await send()
    assert (after.offset, after.message) == (4, 4)
    page = await log.history(room="42", limit=100)
    assert len(page.messages) == 4


async def test_the_same_client_id_gives_the_first_result(
    send: Send, redis_client: Redis
) -> None:
    """Whatever the payload; nothing is stored twice."""
    first = await send("one", client_id="same")
    again = await send("other", client_id="same")
    assert again == first._replace(duplicate=True)
    assert not first.duplicate
    assert len(await stored(redis_client)) == 1


async def test_the_same_client_id_at_the_same_time_from_two_nodes(
    send: Send, make_link: LinkMaker, redis_client: Redis
) -> None:
    """One is the message, the others are its duplicates."""
    async with make_link() as other_link:
        other = sender(make_log(other_link))
        results = await asyncio.gather(
            *(each(client_id="same") for each in (send, other) * 20)
        )
    assert len({(each.message, each.uid) for each in results}) == 1
    assert sum(not each.duplicate for each in results) == 1
    assert len(await stored(redis_client)) == 1


async def test_a_client_id_is_the_user_s_own_and_the_room_s(send: Send) -> None:
    """Another user, another room: another message."""
    results = [
        await send(client_id="same"),
        await send(client_id="same", user="bob"),
        await send(client_id="same", room="43"),
    ]
    assert not any(each.duplicate for each in results)


async def test_a_client_id_is_forgotten_in_time(
    link: RedisClient, redis_client: Redis
) -> None:
    """Its key has an expiry: idempotency does not fill Redis."""
    await sender(make_log(link, remember_seconds=77))(client_id="c")
    assert 70 < await redis_client.ttl(keys.sent("42", "ann", "c")) <= 77


async def test_a_swallowed_answer_makes_no_double(
    twice_link: RedisClient, redis_client: Redis
) -> None:
    """The link sends it again; who asked once is not told of a duplicate."""
    send = sender(make_log(twice_link))
    first = await send(client_id="c")
    assert not first.duplicate
    assert await send(client_id="c") == first._replace(duplicate=True)
    assert len(await stored(redis_client)) == 1


async def test_an_unknown_outcome_is_settled_by_the_same_client_id(
    make_link: LinkMaker, redis_server: RedisServer, redis_client: Redis
) -> None:
    """Redis hangs and carries it out later: stored once, at one place."""
    async with make_link(timeout_seconds=PATIENCE_SECONDS) as link:
        send = sender(make_log(link))
        await send("first")
        redis_server.pause()
        with pytest.raises(OutcomeUnknownError):
            await send("second", client_id="retried")
        redis_server.resume()
        await wait_until(lambda: link.connected, "Redis is reached again")
        settled = await send("second", client_id="retried")
    assert settled.message == 2
    assert [event[1]["message"] for event in await stored(redis_client)] == [1, 2]


async def test_unavailable_means_that_nothing_was_stored(
    make_link: LinkMaker, redis_server: RedisServer, redis_client: Redis
) -> None:
    """Redis is down: the client may send it again, or drop it."""
    async with make_link(timeout_seconds=PATIENCE_SECONDS) as link:
        send = sender(make_log(link))
        await send("first")
        redis_server.kill()
        await wait_until(lambda: not link.connected, "the cut is noticed")
        with pytest.raises(UnavailableError):
            await send("never")
        redis_server.start()
        await wait_until(lambda: link.connected, "Redis is reached again")
        assert (await send("second")).message == 2
    texts = [event[1]["text"] for event in await stored(redis_client)]
    assert texts == ["first", "second"]


async def test_only_members_may_send(
    send: Send, rooms: Memberships, redis_client: Redis
) -> None:
    """Neither a stranger nor who quit; a room that was never there stays unwritten."""
    with pytest.raises(ForbiddenError):
        await send(user="eve")
    with pytest.raises(ForbiddenError):
        await send(room="nowhere")
    await rooms.quit("42", "bob")
    with pytest.raises(ForbiddenError):
        await send(user="bob")
    assert await stored(redis_client) == []
    assert not await redis_client.exists(keys.log("nowhere"), keys.meta("nowhere"))


async def test_sending_is_reading(send: Send, redis_client: Redis) -> None:
    """Who writes has seen what is there; the others have not read it."""
    await send(user="ann")
    await send(user="bob")
    marks = await redis_client.zrange(keys.last_read("42"), 0, -1, withscores=True)
    assert marks == [("ann", 1), ("bob", 2)]


async def test_the_log_is_trimmed_by_count(
    link: RedisClient, redis_client: Redis
) -> None:
    """In blocks, so at least the limit is kept, and not much more."""
    send = sender(make_log(link, log_limit=200))
    await asyncio.gather(*(send() for _ in range(700)))
    kept = [event[1]["offset"] for event in await stored(redis_client)]
    assert kept == list(range(kept[0], 701))
    assert 200 <= len(kept) <= 400


@pytest.fixture
def at(link: RedisClient, monkeypatch: pytest.MonkeyPatch) -> At:
    """Return what sends a message when Redis's clock shows the second that is given."""
    script = scripts.MESSAGE_LOG_APPEND
    send = sender(make_log(link, log_age_ms=50_000))

    async def sent_at(seconds: int) -> Any:
        source = script.source.replace("redis.call('TIME')", f"{{{seconds}, 0}}")
        assert source != script.source
        given = Script(script.name, source)
        monkeypatch.setattr(scripts.message_log, "MESSAGE_LOG_APPEND", given)
        return await send()

    return sent_at


async def offsets(redis_client: Redis) -> list[int]:
    """Return the offsets of the events in the log."""
    return [event[1]["offset"] for event in await stored(redis_client)]


async def test_the_log_is_trimmed_by_age_but_for_the_newest(
    at: At, redis_client: Redis
) -> None:
    """What was too old for some time leaves; what is young enough stays."""
    for second in (1000, 1010, 2000, 2010):
        await at(second)
    assert await offsets(redis_client) == [1, 2, 3, 4], "the clock may be wrong"
    await at(2590)
    assert await offsets(redis_client) == [1, 2, 3, 4, 5]
    await at(2601)
    assert await offsets(redis_client) == [5, 6]
    await at(9000)
    await at(9601)
    assert await offsets(redis_client) == [8]


async def test_a_moment_of_a_clock_that_is_ahead_stays_nowhere(
    at: At, redis_client: Redis
) -> None:
    """Neither in the times of later messages, nor in what the log keeps."""
    day = 24 * 3600
    await at(1000)
    for second in (1005 + day, 1010 + day):
        assert (await at(second)).at == second * 1000
    assert (await at(1020)).at == 1_020_000
    assert await offsets(redis_client) == [1, 2, 3, 4]
    # A second time, much later than the first one.
    await at(1021 + 2 * day)
    await at(1030)
    assert await offsets(redis_client) == [1, 2, 3, 4, 5, 6]
    # They leave with those around them.
    for second in (3000, 3601, 3602):
        await at(second)
    assert await offsets(redis_client) == [8, 9]


async def test_a_moment_of_a_clock_that_is_behind_stays_nowhere(
    at: At, redis_client: Redis
) -> None:
    """What is young is kept, and what follows has the right time."""
    day = 24 * 3600
    await at(1000 + day)
    await at(1000)
    for second in (1010, 1020, 1630):
        assert (await at(second + day)).at == (second + day) * 1000
    assert 5 in await offsets(redis_client)


async def test_the_history_is_trimmed_by_count(
    link: RedisClient, log: MessageLog, redis_client: Redis
) -> None:
    """Exactly; what is gone is gone from the log's page as well."""
    short = make_log(link, history_limit=10)
    send = sender(short)
    for number in range(25):
        await send(str(number))
    assert await redis_client.hlen(keys.messages("42")) == 10
    page = await short.history(room="42", limit=100)
    assert [json.loads(each)["message"] for each in page.messages] == list(
        range(16, 26)
    )
    assert (page.more, page.first_available) == (False, 16)
