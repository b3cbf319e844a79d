"""The Pub/Sub connection: batches, no gap that nobody is told of, never deaf."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from redis.asyncio import Redis

from realtime.errors import UnavailableError
from realtime.redis.pubsub import CHANNELS_PER_COMMAND, Batch, Subscriber
from realtime.redis.reconnect import RECONNECT_SECONDS
from realtime.redis.url import connection_factory
from tests.kit.redis_server import RedisServer
from tests.kit.running import running
from tests.kit.waiting import MS, wait_until

SILENCE_SECONDS = 2_000 * MS
# What is promised for a silent partition, and a busy machine.
NOTICED_SECONDS = 3_000 * MS + 3_000 * MS


class Listener:
    """A subscriber, and what it told."""

    def __init__(self, url: str) -> None:
        self.batches: list[Batch] = []
        self.told: list[str] = []
        self.wanted: list[str] = []
        self.confirmed: list[list[str]] = []
        self.failing = False
        self.subscriber = Subscriber(
            connection_factory(url, timeout_seconds=1_000 * MS),
            connect_seconds=1_000 * MS,
            silence_seconds=SILENCE_SECONDS,
        )

    @property
    def heard(self) -> list[str]:
        """The payloads that arrived, in order."""
        return [payload.decode() for batch in self.batches for _, payload in batch]

    async def is_ready(self, times: int = 1) -> None:
        """Return when it was ready so often."""
        await wait_until(lambda: self.told.count("ready") >= times, "it is ready")

    async def subscribe(self, channel: str) -> None:
        """Subscribe, and wait until it is confirmed."""
        async with asyncio.timeout(5_000 * MS):
            await self.subscriber.subscribe(channel)
        self.wanted.append(channel)

    def due(self) -> None:
        """Nothing is held back here."""

    def lost(self, _channels: Collection[str] | None = None) -> None:
        """Take note."""
        self.told.append("lost")

    def ready(self, _channels: Collection[str] | None = None) -> None:
        """Take note, and of what is confirmed by then."""
        self.told.append("ready")
        subscribe = self.subscriber.subscribe
        self.confirmed.append([name for name in self.wanted if subscribe(name).done()])

    def receive(self, batch: Batch) -> None:
        """Take a batch, or fail at it."""
        if self.failing:
            self.failing = False
            raise RuntimeError("a defect above")
        self.batches.append(batch)


Listen = Callable[[], AbstractAsyncContextManager[Listener]]


@pytest.fixture
def listen(redis_server: RedisServer) -> Listen:
    """Make a started listener that ends with its block."""

    @asynccontextmanager
    async def make() -> AsyncIterator[Listener]:
        listener = Listener(redis_server.url)
        async with running(listener.subscriber.run(listener)):
            yield listener

    return make


@pytest.fixture
async def listener(listen: Listen) -> AsyncIterator[Listener]:
    """A listener that is ready."""
    async with listen() as made:
        await made.is_ready()
        yield made


def kill_pubsub(server: RedisServer) -> None:
    """Cut every Pub/Sub connection."""
    server.admin.client_kill_filter(skipme=True, _type="pubsub")


async def test_what_is_published_after_the_confirmation_arrives(
    listener: Listener, redis_client: Redis
) -> None:
    """In order, with its channel, and nothing of other channels."""
    await listener.subscribe("chatroom-1")
    for number in range(50):
        await redis_client.publish("chatroom-1", number)
        await redis_client.publish("chatroom-2", "not mine")
    await wait_until(lambda: len(listener.heard) >= 50, "all of it came")
    assert listener.heard == [str(number) for number in range(50)]
    assert {name for batch in listener.batches for name, _ in batch} == {b"chatroom-1"}


async def test_what_comes_together_is_one_batch(
    listener: Listener, redis_client: Redis
) -> None:
    """So that a session gets it in one write."""
    await listener.subscribe("chatroom-1")
    async with redis_client.pipeline() as pipe:
        for number in range(200):
            pipe.execute_command("PUBLISH", "chatroom-1", number)
        await pipe.execute()
    await wait_until(lambda: len(listener.heard) == 200, "all of it came")
    assert len(listener.batches) < 20


async def test_after_unsubscribing_nothing_comes(
    listener: Listener, redis_client: Redis
) -> None:
    """The node stops paying for a room that nobody here attends."""
    await listener.subscribe("chatroom-1")
    await listener.subscribe("chatroom-2")
    listener.subscriber.unsubscribe("chatroom-1")
    listener.subscriber.unsubscribe("chatroom-1")

    async def gone() -> bool:
        return dict(await redis_client.pubsub_numsub("chatroom-1"))["chatroom-1"] == 0

    await wait_until(gone, "Redis knows")
    await redis_client.publish("chatroom-1", "old")
    await redis_client.publish("chatroom-2", "mine")
    await wait_until(lambda: listener.heard, "the other one comes")
    assert listener.heard == ["mine"]


async def test_given_up_and_wanted_again(
    listener: Listener, redis_client: Redis
) -> None:
    """The answer to the first wish does not confirm the second."""
    for turn in range(20):
        listener.subscriber.unsubscribe("chatroom-1")
        first = listener.subscriber.subscribe("chatroom-1")
        listener.subscriber.unsubscribe("chatroom-1")
        assert first.cancelled()
        await listener.subscribe("chatroom-1")
        await redis_client.publish("chatroom-1", turn)
    await wait_until(lambda: len(listener.heard) >= 20, "each one came")
    assert listener.heard == [str(turn) for turn in range(20)]


async def test_the_answer_to_an_earlier_wish_confirms_nothing(
    listener: Listener, redis_server: RedisServer
) -> None:
    """Redis answers the first one while the second is still under way."""
    redis_server.pause()
    _first = listener.subscriber.subscribe("chatroom-1")
    listener.subscriber.unsubscribe("chatroom-1")
    second = listener.subscriber.subscribe("chatroom-1")
    listener.subscriber.take([[b"subscribe", b"chatroom-1", 1]])
    assert not second.done()
    listener.subscriber.take([[b"subscribe", b"chatroom-1", 1]])
    assert second.done()
    redis_server.resume()


async def test_asking_twice_is_fine(listener: Listener) -> None:
    """While the first wish is under way, and when it was confirmed long ago."""
    first = listener.subscriber.subscribe("chatroom-1")
    second = listener.subscriber.subscribe("chatroom-1")
    async with asyncio.timeout(5_000 * MS):
        await asyncio.gather(first, second)
        await listener.subscriber.subscribe("chatroom-1")


async def test_a_cut_is_told_and_healed(
    listener: Listener, redis_server: RedisServer, redis_client: Redis
) -> None:
    """Every channel is subscribed again before it calls itself ready."""
    names = [f"chatroom-{number}" for number in range(30)]
    for name in names:
        await listener.subscribe(name)
    kill_pubsub(redis_server)
    await listener.is_ready(times=2)
    assert listener.told == ["ready", "lost", "ready"]
    assert listener.confirmed == [[], names]
    for name in names:
        await redis_client.publish(name, name)
    await wait_until(lambda: len(listener.heard) >= 30, "all channels are heard")
    assert listener.heard == names


async def test_more_channels_than_one_command_takes(
    listener: Listener, redis_server: RedisServer, redis_client: Redis
) -> None:
    """A node with thousands of rooms gets all of them back."""
    count = 2 * CHANNELS_PER_COMMAND + 5
    names = [f"chatroom-{number}" for number in range(count)]
    await asyncio.gather(*(listener.subscriber.subscribe(name) for name in names))
    kill_pubsub(redis_server)
    await listener.is_ready(times=2)
    assert len(await redis_client.pubsub_channels()) == count


async def test_a_channel_wanted_during_the_cut(
    listen: Listen, redis_server: RedisServer, redis_client: Redis
) -> None:
    """It is confirmed with the next connection, not before."""
    async with listen() as listener:
        await listener.is_ready()
        redis_server.kill()
        await wait_until(lambda: not listener.subscriber.ready, "the cut is noticed")
        waiting = listener.subscriber.subscribe("chatroom-1")
        again = listener.subscriber.subscribe("chatroom-1")
        assert not waiting.done()
        assert not again.done()
        redis_server.start()
        async with asyncio.timeout(5_000 * MS):
            await waiting
        await redis_client.publish("chatroom-1", "x")
        await wait_until(lambda: listener.heard == ["x"], "it is heard")


async def test_a_silent_redis_is_given_up(
    listener: Listener, redis_server: RedisServer
) -> None:
    """SIGSTOP, or a partition: noticed within 3 s, healed when it is over."""
    await listener.subscribe("chatroom-1")
    redis_server.pause()
    await wait_until(
        lambda: listener.told[-1] == "lost",
        "silence is noticed",
        seconds=NOTICED_SECONDS,
    )
    assert not listener.subscriber.ready
    redis_server.resume()
    await listener.is_ready(times=2)


async def test_a_quiet_redis_is_not_given_up(
    listener: Listener, redis_server: RedisServer
) -> None:
    """Nothing is published for longer than the limit: the pings are answered."""
    calls = "cmdstat_ping"
    redis_server.admin.config_resetstat()

    def pinged() -> bool:
        found = redis_server.admin.info("commandstats").get(calls, {"calls": 0})
        return bool(found["calls"] >= 4)

    await wait_until(pinged, "it asked four times")
    assert listener.told == ["ready"]


async def test_a_defect_above_does_not_make_it_deaf(
    listener: Listener, redis_client: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and treated as a cut: what was in the batch may be missed."""
    await listener.subscribe("chatroom-1")
    listener.failing = True
    await redis_client.publish("chatroom-1", "poison")
    await listener.is_ready(times=2)
    assert listener.told == ["ready", "lost", "ready"]
    await redis_client.publish("chatroom-1", "x")
    await wait_until(lambda: listener.heard == ["x"], "it hears")
    assert "a defect above" in caplog.text


async def test_a_subscription_that_is_refused_is_no_storm(
    redis_server: RedisServer,
) -> None:
    """A Redis user without the channels: tried again, with a pause, and said once."""
    redis_server.admin.acl_setuser(
        "deaf", enabled=True, passwords=["+p"], categories=["+@all"], keys=["*"]
    )
    listener = Listener(redis_server.url.replace("unix://", "unix://deaf:p@"))
    stats = redis_server.admin.info
    before = stats("stats")["total_connections_received"]
    begin = asyncio.get_running_loop().time()
    _never = listener.subscriber.subscribe("chatroom-42")
    async with running(listener.subscriber.run(listener)):
        await wait_until(lambda: len(listener.told) > 5, "it was tried again")
        tried = stats("stats")["total_connections_received"] - before
        passed = asyncio.get_running_loop().time() - begin
        assert tried <= 2 + passed / RECONNECT_SECONDS
    redis_server.admin.acl_deluser("deaf")


async def test_its_end_fails_who_waits(
    listen: Listen, redis_server: RedisServer
) -> None:
    """Nobody waits for a confirmation that will never come."""
    redis_server.pause()
    async with listen() as listener:
        waiting = listener.subscriber.subscribe("chatroom-1")
    with pytest.raises(UnavailableError):
        await waiting
