"""What stands in the place of the tests' one Valkey: a cluster, or one under Sentinels.

Chosen by ``TEST_REDIS``, for a whole run of pytest: the same tests, the same promises.
"""

import asyncio
import os
import shutil
import tempfile
import threading
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn, Self, TypeVar, cast

import pytest
import redis
from redis.asyncio import Redis, RedisCluster

from verify.harness import redis_cluster
from verify.harness.cluster_servers import HOST
from verify.harness.process import PATIENCE_SECONDS
from verify.harness.sentinel import SentinelGroup

T = TypeVar("T")

# What TEST_REDIS may say, besides nothing; and the kind of a cluster's servers.
SENTINEL = "sentinel"
CLUSTERS = {"redis-cluster": "redis", "valkey-cluster": "valkey"}

# Of a test that looks at what is so of one Valkey alone: its memory, its counts.
ONE_VALKEY = pytest.mark.skipif(
    bool(os.environ.get("TEST_REDIS")), reason="looks at one Valkey"
)

# Longest start of seven processes, one after the other.
START_SECONDS = 3 * PATIENCE_SECONDS

# What a server is asked, or told, of itself alone: here all are.
OF_SERVERS = (
    *("CLIENT KILL", "CLIENT LIST", "CONFIG SET", "CONFIG RESETSTAT", "KEYS"),
    "PUBSUB SHARDCHANNELS",
)


class SpreadRedis:
    """Servers that all tests of a process share; they run in a thread of their own.

    A test that asks for what only one server has (to be killed, to go back to what it
    was) is skipped.

    Attributes:
        kind: What ``TEST_REDIS`` says.
        url: The address that nodes use.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._folder = Path(tempfile.mkdtemp(prefix="chatroom-test-"))
        self._loop = asyncio.new_event_loop()
        # The servers die with the thread that started them.
        self._thread = threading.Thread(target=self._loop.run_forever, name="servers")
        self._thread.start()
        self._stack = AsyncExitStack()
        self._cluster: redis_cluster.RedisCluster | None = None
        self._group: SentinelGroup | None = None
        try:
            self._do(self._start())
        except BaseException:
            self.close()
            raise

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        pytest.skip(f"{name}: of one Valkey alone")

    @cached_property
    def admin(self) -> redis.Redis:
        """A client for what is asked and told beside the nodes."""
        made: Any = None
        if self._group is not None:
            made = redis.Redis(port=self._group.primary)
        elif self._cluster is not None:
            made = AdminOfAll(port=self._cluster.ports[0], host=HOST)
        self._stack.callback(made.close)
        return cast("redis.Redis", made)

    def reset(self) -> None:
        """Make it as new: whole, empty, without clients."""
        self._do(self._reset())

    def keys_without_expiry(self) -> list[str]:
        """Return the keys that would stay for ever."""
        return self._do(self._kept())

    def client(self) -> Redis:
        """Return a client of its own loop, with decoded answers, not connected yet."""
        if self._cluster is not None:
            return self._cluster.client(ClusterClient, decode_responses=True)
        if self._group is None:
            raise ValueError("it has not started")
        return client_of(self._group.primary)

    def close(self) -> None:
        """End the servers and remove their data."""
        self._do(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        shutil.rmtree(self._folder)

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        doing = asyncio.run_coroutine_threadsafe(work, self._loop)
        return doing.result(START_SECONDS)

    async def _start(self) -> None:
        if self.kind == SENTINEL:
            group = SentinelGroup(self._folder)
            self._group = await self._stack.enter_async_context(group)
            self.url = group.url
        else:
            starting = redis_cluster.RedisCluster.start(
                CLUSTERS[self.kind], self._folder
            )
            self._cluster = await self._stack.enter_async_context(starting)
            self.url = self._cluster.url

    async def _reset(self) -> None:
        for client in await self._primaries():
            async with client:
                for kind in ("normal", "pubsub"):
                    await client.client_kill_filter(_type=kind, skipme=True)
                await client.flushall()
                await client.script_flush()
                await client.config_resetstat()

    async def _kept(self) -> list[str]:
        found: list[str] = []
        for client in await self._primaries():
            async with client:
                kept = [key async for key in client.scan_iter(count=1000)]
                async with client.pipeline(transaction=False) as asked:
                    for key in kept:
                        asked.execute_command("TTL", key)
                    ends: list[int] = await asked.execute()
                found += [key for key, end in zip(kept, ends, strict=True) if end == -1]
        return found

    async def _primaries(self) -> list[Redis]:
        """Return clients of all primaries; the caller closes them."""
        ports: list[int] = []
        if self._group is not None:
            ports = [self._group.primary]
        elif self._cluster is not None:
            ports = await self._cluster.primaries()
        return [client_of(port) for port in ports]


def is_of_servers(*args: Any) -> str:
    """Return the command, of one word or two, if it is of servers alone."""
    command = " ".join(map(str, args[:2]))
    return command if command.startswith(OF_SERVERS) else ""


def together(command: str, answers: list[Any]) -> Any:
    """Return what one server would have answered."""
    if isinstance(answers[0], list):
        return [each for answer in answers for each in answer]
    return sum(answers) if command.startswith("CLIENT KILL") else answers[0]


class AdminOfAll(redis.RedisCluster):
    """The same as :class:`ClusterClient`, without an event loop."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Put a command to the server that it concerns, or to all primaries."""
        # redis-py types its synchronous half in part.
        ask: Any = super().execute_command
        if not (command := is_of_servers(*args)):
            return ask(*args, **options)
        here: Any = self
        answers = [
            ask(*args, target_nodes=node, **options) for node in here.get_primaries()
        ]
        return together(command, answers)


class ClusterClient(RedisCluster):
    """Answers as a client of one server does, for all of them.

    Channels are those of shards, where the nodes of a cluster publish.
    """

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Put a command to the server that it concerns, or to all primaries."""
        if not (command := is_of_servers(*args)):
            return await super().execute_command(*args, **options)
        ask = super().execute_command
        nodes = self.get_primaries()
        answers = [await ask(*args, target_nodes=[node], **options) for node in nodes]
        return together(command, answers)

    async def publish(self, channel: Any, message: Any, **_options: Any) -> Any:
        """Publish on the channel's shard."""
        return await self.execute_command("SPUBLISH", channel, message)

    async def pubsub_channels(self, pattern: Any = "*", **_options: Any) -> Any:
        """Return the channels of shards that somebody listens to."""
        return await self.execute_command("PUBSUB SHARDCHANNELS", pattern)

    def pubsub(self, *_node: Any, **_options: Any) -> Any:
        """Return what listens to channels of one shard."""
        return ShardPubSub(self)


class ShardPubSub:
    """Listens as redis-py's own does, to channels of one shard."""

    def __init__(self, client: ClusterClient) -> None:
        self._client = client
        self._stack = AsyncExitStack()
        self._pubsub: Any = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._stack.aclose()

    async def subscribe(self, *channels: str) -> None:
        """Listen to channels, all of the shard of the first one."""
        client: Any = await self._client
        redis: Any = client_of(client.get_node_from_key(channels[0]).port)
        self._pubsub = redis.pubsub()
        self._stack.push_async_callback(redis.aclose)
        self._stack.push_async_callback(self._pubsub.aclose)
        for channel in channels:
            await self._pubsub.ssubscribe(channel)

    async def get_message(self, **options: Any) -> Any:
        """Return the next message, or the confirmation of a subscription."""
        return await self._pubsub.get_message(**options)


def client_of(port: int) -> Redis:
    """Return a client of one server."""
    return Redis(port=port, decode_responses=True)
