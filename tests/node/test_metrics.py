"""Metrics: what an operator sees of a node, and who may see it."""

from redis.asyncio import Redis

from realtime.store import keys
from tests.kit.metrics import scrape
from tests.kit.nodes import NAMESPACE, client, run_nodes
from tests.kit.waiting import wait_until

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
