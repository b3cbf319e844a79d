"""Metrics: what an operator sees of a node, and who may see it."""

import time

from redis.asyncio import Redis

from realtime.store import keys
from realtime.traffic import BUCKETS
from tests.kit.members import member
from tests.kit.metrics import labelled, scrape
from tests.kit.nodes import NAMESPACE, client, run_nodes
from tests.kit.waiting import DEADLINE_SECONDS, wait_until

TOKEN = "a-scraper-must-bring-this"


async def test_numbers_follow_what_happens(redis_url: str) -> None:
    """Sessions, rooms and refusals show as they are."""
    async with run_nodes(1, redis_url) as (node,), client(node, "ann") as ann:
        await ann.call("join", {"room": "42"}, namespace=NAMESPACE)
        await ann.call("send", {"room": "other"}, namespace=NAMESPACE)
        status, numbers = await scrape(node.url)
    assert status == 200
    assert numbers["chatroom_sessions"] == 1
    assert numbers["chatroom_rooms"] == 1
    assert numbers["chatroom_redis_up"] == 1
    assert numbers["chatroom_pubsub_up"] == 1
    assert numbers['chatroom_errors_total{code="invalid",event="send"}'] == 1


async def test_what_the_log_says_is_counted(
    redis_url: str, redis_client: Redis
) -> None:
    """Whoever watches numbers learns that there is something to read in the log."""
    name = 'chatroom_log_messages_total{level="error"}'
    async with run_nodes(1, redis_url) as (node,):
        before = (await scrape(node.url))[1][name]
        await redis_client.set(keys.user_rooms("ann"), "no set")
        async with client(node, "ann") as ann:
            answer = await ann.call("rooms", {}, namespace=NAMESPACE)
        assert answer["error"]["code"] == "internal"
        assert (await scrape(node.url))[1][name] > before


async def test_ended_sessions_are_counted_by_reason(redis_url: str) -> None:
    """A rise of one reason is how an operator learns of slow consumers."""
    async with run_nodes(1, redis_url) as (node,):
        async with client(node, "ann"):
            pass

        async def ended() -> bool:
            _, numbers = await scrape(node.url)
            return [n for name, n in numbers.items() if "endings_total" in name] == [1]

        await wait_until(ended, "the session's end is counted")


async def test_a_proxied_request_needs_the_token(redis_url: str) -> None:
    """Behind a proxy everybody looks local; so that does not count."""
    async with run_nodes(1, redis_url) as (node,):
        proxied = {"X-Forwarded-For": "203.0.113.9"}
        assert (await scrape(node.url, **proxied))[0] == 403


async def test_with_a_token_only_the_token_counts(redis_url: str) -> None:
    """Without it, or with another, nobody sees the numbers."""
    async with run_nodes(1, redis_url, metrics_token=TOKEN) as (node,):
        assert (await scrape(node.url))[0] == 403
        assert (await scrape(node.url, Authorization="Bearer no"))[0] == 403
        assert (await scrape(node.url, Authorization=f"Bearer {TOKEN}"))[0] == 200


async def test_how_busy_it_is_and_whether_messages_are_late(redis_url: str) -> None:
    """A message counts once, a delivery for each that gets it."""
    async with (
        run_nodes(1, redis_url) as (node,),
        member(node, "ann", "42") as ann,
        member(node, "bob", "42") as bob,
    ):

        async def the_clock_is_known() -> bool:
            return "chatroom_redis_ahead_seconds" in (await scrape(node.url))[1]

        await wait_until(the_clock_is_known, "Redis was asked the time")
        _, before = await scrape(node.url)
        await ann.send("hello", client_id="once")
        await ann.send("hello", client_id="once")
        await bob.next("message")
        _, after = await scrape(node.url)

    def grew(name: str) -> float:
        return after[name] - before[name]

    assert after["chatroom_connects_total"] == 2
    assert after["chatroom_ready"] == 1
    assert grew("chatroom_messages_total") == 1
    # To the one who sent it as well.
    assert grew("chatroom_deliveries_total") >= 2
    assert grew("chatroom_send_seconds_count") == 2
    assert 0 < grew("chatroom_send_seconds_sum") < DEADLINE_SECONDS
    assert grew("chatroom_delivery_seconds_count") == 1
    assert 0 <= grew("chatroom_delivery_seconds_sum") < DEADLINE_SECONDS
    assert after["chatroom_redis_seconds_count"] >= 1
    # One machine has one clock.
    assert abs(after["chatroom_redis_ahead_seconds"]) < 1


async def test_a_clock_that_is_wrong_makes_no_message_late(redis_url: str) -> None:
    """How late a message is, is reckoned by Redis's clock, whatever the node's says."""
    async with (
        run_nodes(1, redis_url) as (node,),
        member(node, "ann", "42") as ann,
    ):
        traffic = node.parts.traffic
        traffic.redis_ahead_seconds = 0.0
        traffic.wrote(round((time.time() - 2) * 1000))
        assert traffic.delivery.counts[BUCKETS.index(2.5)] == 1
        traffic.redis_ahead_seconds = -2.0
        traffic.wrote(round((time.time() - 2) * 1000))
        assert sum(traffic.delivery.counts[:6]) == 1
        assert ann.user


async def test_what_came_of_cursors_is_counted(redis_url: str) -> None:
    """Whether who comes back is recovered, and what that costs."""
    async with run_nodes(1, redis_url) as (node,):
        async with member(node, "ann", "42") as ann:
            sent = [await ann.send(f"{number}") for number in range(3)]
        cursor = f"{sent[0]['offset']}:{sent[0]['uid']}"
        async with member(node, "ann") as ann:
            assert (await ann.join("42", cursor))["recovered"]
        async with member(node, "ann") as ann:
            assert not (await ann.join("42", "2:another"))["recovered"]
        found = labelled(node, "chatroom_recoveries_total")
    assert found == {"memory": 0, "log": 1, "part": 0, "lost": 1}
