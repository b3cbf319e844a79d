"""Where a run takes place, as clients see it: nodes behind lines that can be spoilt."""

import asyncio
import random
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Protocol, Self
from urllib.parse import urlsplit

from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from redis.asyncio import Redis
from redis.exceptions import RedisError

from realtime.start_error import StartError
from verify.deployment import NodeSlot
from verify.failovers import Failover
from verify.proxy import FaultProxy, Streams

PORTS = {"http": 80, "https": 443}

REACH_SECONDS = 5.0
"""Deadline of the first connection to an address."""


class Place(Protocol):
    """One node as clients see it."""

    @property
    def url(self) -> str:
        """Where clients connect."""

    @property
    def client_line(self) -> FaultProxy:
        """The line between clients and the node."""


class Site(Protocol):
    """Somewhere to run: nodes made for it, or the user's own."""

    @property
    def places(self) -> Sequence[Place]:
        """The nodes, as clients see them."""

    @property
    def slots(self) -> Sequence[NodeSlot]:
        """The nodes as processes of the run's own; none of the user's own."""

    @property
    def redis(self) -> Redis | None:
        """Where the rooms are kept; None if only the nodes can be asked."""

    @property
    def failovers(self) -> Sequence[Failover]:
        """Those that there were, over all rounds."""

    @property
    def durability(self) -> str | None:
        """What acks tell; None if that is not known."""

    @property
    def is_lazy(self) -> bool:
        """Whether a Redis that is killed may come back without its last seconds."""

    @property
    def connector(self) -> Callable[[], TCPConnector] | None:
        """Makes what clients' connections go through; the usual one if None."""

    def tracebacks(self) -> Mapping[str, str]:
        """Return each node's first traceback since the last call, if it can be read."""


class RemotePlace:
    """A node of the user's own, reached through a proxy.

    Args:
        url: Its address; ``https`` goes through the proxy as it is.

    Raises:
        StartError: It is no address of a server.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname:
            raise StartError(f"{url} is not the address of a server: http://host:port.")
        if parts.path.strip("/"):
            raise StartError(f"{url} has a path; a server is at the root of its host.")
        self.given = url
        self.url = url.rstrip("/")
        self._scheme = parts.scheme
        self.host = parts.hostname
        self.port = parts.port or PORTS[parts.scheme]
        self.proxy_port = 0
        self.client_line = FaultProxy(
            partial(asyncio.open_connection, self.host, self.port)
        )

    async def start(self) -> None:
        """Open the line.

        Raises:
            StartError: Nobody answers at the address.
        """
        try:
            async with asyncio.timeout(REACH_SECONDS):
                _, writer = await asyncio.open_connection(self.host, self.port)
        except (OSError, TimeoutError) as error:
            reason = str(error) or "no answer in time"
            raise StartError(f"{self.given} cannot be reached: {reason}") from error
        writer.transport.abort()
        self.proxy_port = await self.client_line.listen_tcp()
        if _is_address(self.host):
            # No name is looked up, and none has to be kept for a proxy. A certificate
            # is good for it only if it is one of this machine.
            self.url = f"{self._scheme}://127.0.0.1:{self.proxy_port}"


class RemoteSite:
    """The user's own deployment.

    Args:
        urls: Addresses of its nodes, or of what stands in front of them.
        redis_url: Address of its Redis, if that may be asked, and struck.
        ca: Certificates to trust besides the usual ones.

    Raises:
        StartError: One of them is no address, or no certificate.
    """

    slots: Sequence[NodeSlot] = ()
    failovers: Sequence[Failover] = ()
    durability: str | None = None
    is_lazy: bool = False

    def __init__(
        self,
        urls: Sequence[str],
        *,
        redis_url: str | None = None,
        ca: Path | None = None,
    ) -> None:
        self.places = [RemotePlace(url) for url in urls]
        self._stack = AsyncExitStack()
        try:
            self.redis = None if redis_url is None else Redis.from_url(redis_url)
        except ValueError as error:
            raise StartError(f"--redis: {error}") from error
        self._tls = ssl.create_default_context()
        try:
            if ca is not None:
                self._tls.load_verify_locations(ca)
        except (ssl.SSLError, OSError) as error:
            raise StartError(f"--ca: {ca} holds no certificates: {error}") from error

    async def __aenter__(self) -> Self:
        try:
            if self.redis is not None:
                self._stack.push_async_callback(self.redis.aclose)
                await _greet(self.redis)
            for place in self.places:
                self._stack.push_async_callback(place.client_line.aclose)
                await place.start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._stack.aclose()

    def connector(self) -> TCPConnector:
        """Return one that leads to the proxies; names and TLS stay as told."""
        ports = {(place.host, place.port): place.proxy_port for place in self.places}
        return TCPConnector(resolver=_ToProxies(ports), ssl=self._tls)

    def tracebacks(self) -> dict[str, str]:
        """Return nothing: the logs are the user's own."""
        return {}


class _ToProxies(AbstractResolver):
    def __init__(self, ports: dict[tuple[str, int], int]) -> None:
        self._ports = ports

    async def resolve(
        self, host: str, port: int = 0, family: int = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host="127.0.0.1",
                port=self._ports[host, port],
                family=socket.AF_INET,
                proto=0,
                flags=0,
            )
        ]

    async def close(self) -> None:
        """Nothing is held."""


def switchboard(site: Site, seed: int) -> FaultProxy:
    """Return a line that leads to another node by chance with each connection.

    For clients that know one address only. Behind it are the nodes' own client
    lines, so that faults reach these clients as well.
    """
    rng = random.Random(f"switchboard {seed}")  # noqa: S311 - repeatable
    ports = [urlsplit(place.url).port for place in site.places]

    async def connect() -> Streams:
        return await asyncio.open_connection("127.0.0.1", rng.choice(ports))

    return FaultProxy(connect)


async def _greet(redis: Redis) -> None:
    try:
        async with asyncio.timeout(REACH_SECONDS):
            await redis.ping()
    except (RedisError, OSError, TimeoutError) as error:
        reason = str(error) or "no answer in time"
        raise StartError(f"--redis cannot be reached: {reason}") from error


def _is_address(host: str) -> bool:
    return host.replace(".", "").isdigit() or ":" in host
