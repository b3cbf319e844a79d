"""What an address leads to, one server or a cluster, and the clients for it."""

from collections.abc import Sequence

from realtime.redis.check import check_redis
from realtime.redis.client import RedisClient
from realtime.redis.cluster.check import check_cluster
from realtime.redis.cluster.client import ClusterClient
from realtime.redis.cluster.pubsub import ShardedSubscriber
from realtime.redis.cluster.topology import Topology
from realtime.redis.durability import CALLS_LIMIT, WRITE_SHARE, Durability, Level
from realtime.redis.pubsub import Subscriber
from realtime.redis.script import Script
from realtime.redis.url import (
    connection_factory,
    is_cluster_url,
    parse_cluster_url,
)


class RedisSite:
    """Makes the clients of one process for one address.

    Args:
        url: The address.
        timeout_seconds: Deadline of connects, and of each step of one.

    Raises:
        ValueError: The address cannot be used.
    """

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._topology: Topology | None = None
        if is_cluster_url(url):
            parsed = parse_cluster_url(url, timeout_seconds=timeout_seconds)
            self._topology = Topology(parsed, timeout_seconds=timeout_seconds)
        else:
            self._factory = connection_factory(url, timeout_seconds=timeout_seconds)

    def client(
        self,
        *,
        limit_calls: int,
        scripts: Sequence[Script] = (),
        timeout_seconds: float | None = None,
        runs_topology: bool = True,
    ) -> RedisClient:
        """Make a client.

        Args:
            limit_calls: As of :class:`RedisClient`.
            scripts: Loaded first.
            timeout_seconds: Deadline of a call; None: that of connects.
            runs_topology: Whether the table of a cluster is kept while the client
                runs; one client of a site does that for all.
        """
        seconds = timeout_seconds or self._timeout_seconds
        if self._topology is None:
            return RedisClient(
                self._factory,
                timeout_seconds=seconds,
                limit_calls=limit_calls,
                scripts=scripts,
            )
        return ClusterClient(
            self._topology,
            timeout_seconds=seconds,
            limit_calls=limit_calls,
            scripts=scripts,
            runs_topology=runs_topology,
        )

    def subscriber(self, *, silence_seconds: float) -> Subscriber:
        """Make a subscriber; in a cluster a client of this site must run as well."""
        if self._topology is None:
            return Subscriber(
                self._factory,
                connect_seconds=self._timeout_seconds,
                silence_seconds=silence_seconds,
            )
        return ShardedSubscriber(
            self._topology,
            connect_seconds=self._timeout_seconds,
            silence_seconds=silence_seconds,
        )

    def durability(
        self, *, level: Level, timeout_seconds: float, scripts: Sequence[Script]
    ) -> Durability:
        """Make what confirms writes, with a client of its own."""
        client = self.client(
            limit_calls=CALLS_LIMIT,
            scripts=scripts,
            timeout_seconds=WRITE_SHARE * timeout_seconds,
            runs_topology=False,
        )
        return Durability(client, level=level, timeout_seconds=timeout_seconds)


async def check_site(
    url: str, *, timeout_seconds: float, durability: str = "memory"
) -> list[str]:
    """Return when a Redis or a cluster can hold the rooms, as safely as is demanded.

    Args:
        url: Its address; its password is kept out of all texts.
        timeout_seconds: Deadline of each step.
        durability: The server's level.

    Returns:
        What its operator should know though it serves, one sentence each.

    Raises:
        StartError: It does not fit, with the reason.
    """
    if is_cluster_url(url):
        return await check_cluster(
            url, timeout_seconds=timeout_seconds, durability=durability
        )
    await check_redis(url, timeout_seconds=timeout_seconds, durability=durability)
    return []
