"""Redis addresses: a URL becomes a factory of redis-py connections.

redis-py does what is hard about a connection (TLS, unix sockets, authentication,
asking the Sentinels for the primary); what happens on it afterwards is ours, in
:mod:`realtime.redis_wire`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

ConnectionFactory = Callable[[], AbstractConnection]

DEFAULT_SENTINEL_PORT = 26379
SENTINEL_SCHEMES = frozenset({"sentinel", "redis+sentinel", "rediss+sentinel"})
PLAIN_SCHEMES = frozenset({"redis", "rediss", "unix"})


def connection_factory(url: str, *, timeout_seconds: float) -> ConnectionFactory:
    """Return a factory of unconnected connections to the server that ``url`` names.

    Understands ``redis://``, ``rediss://``, ``unix://`` and
    ``sentinel://[user:password@]host:port,host:port/<db>/<service>`` (also spelt
    ``redis+sentinel://``; ``rediss+sentinel://`` with TLS to the primary). A Sentinel
    connection asks for the present primary each time it connects.

    Args:
        url: The address; credentials are percent-decoded.
        timeout_seconds: Deadline of the connect and of each step of the handshake.

    Raises:
        ValueError: when the URL cannot be used; the text does not repeat it, because
            it may hold a password.
    """
    common: dict[str, Any] = {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        "socket_keepalive": True,
        "protocol": 2,
    }
    scheme = urlsplit(url).scheme
    if scheme in SENTINEL_SCHEMES:
        return _sentinel_factory(url, common)
    if scheme not in PLAIN_SCHEMES:
        known = ", ".join(sorted(PLAIN_SCHEMES | SENTINEL_SCHEMES))
        raise ValueError(f"scheme {scheme!r} is none of {known}")
    if scheme == "unix":
        common.pop("socket_keepalive")
    pool = ConnectionPool.from_url(url, **common)
    return pool.make_connection


def _sentinel_factory(url: str, common: dict[str, Any]) -> ConnectionFactory:
    parts = urlsplit(url)
    path = parts.path.strip("/").split("/")
    if len(path) != 2 or not path[0].isdigit() or not path[1]:
        raise ValueError("a Sentinel URL ends with /<db>/<service name>")
    query = parse_qs(parts.query)
    hosts = _sentinel_hosts(parts.netloc)
    # One that is down, perhaps with the machine of the primary, must leave time to
    # ask the others and to connect; redis-py would ask it again and again.
    share = common["socket_timeout"] / (len(hosts) + 1)
    sentinel_options: dict[str, Any] = {
        "socket_timeout": share,
        "socket_connect_timeout": share,
        "retry": Retry(NoBackoff(), 0),
    }
    if "sentinel_password" in query:
        sentinel_options["password"] = query["sentinel_password"][0]
    primary = dict(common, db=int(path[0]))
    if parts.username:
        primary["username"] = unquote(parts.username)
    if parts.password:
        primary["password"] = unquote(parts.password)
    kind = _PrimaryConnection
    if parts.scheme.startswith("rediss"):
        kind = _SecurePrimaryConnection
    return partial(
        kind,
        sentinels=hosts,
        service=path[1],
        sentinel_options=sentinel_options,
        **primary,
    )


class _PrimaryConnection(Connection):
    """A connection that asks the Sentinels for the primary each time it connects.

    Not redis-py's own: its pools keep a connection to each Sentinel that nobody
    closes. Connections share ``sentinels``, and ask the one first that answered last.
    """

    def __init__(
        self,
        *,
        sentinels: list[tuple[str, int]],
        service: str,
        sentinel_options: dict[str, Any],
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._sentinels = sentinels
        self._service = service
        self._sentinel_options = sentinel_options

    async def connect(self) -> None:
        self.host, self.port = await self._ask_sentinels()
        await super().connect()  # type: ignore[no-untyped-call]

    async def _ask_sentinels(self) -> tuple[str, int]:
        failure: Exception = RedisConnectionError("no Sentinel was named")
        for address in list(self._sentinels):
            try:
                found = await self._ask(address)
            except (RedisError, OSError, TimeoutError) as error:
                failure = error
                continue
            # In one step: another connection may have put them in order meanwhile.
            self._sentinels.sort(key=lambda each: each != address)
            return found
        raise failure

    async def _ask(self, address: tuple[str, int]) -> tuple[str, int]:
        asked = Sentinel([address], sentinel_kwargs=self._sentinel_options)
        try:
            found: tuple[str, int] = await asked.discover_master(self._service)
        finally:
            for client in asked.sentinels:
                await client.aclose()
        return found


class _SecurePrimaryConnection(_PrimaryConnection, SSLConnection):
    """The same with TLS to the primary."""


def _sentinel_hosts(netloc: str) -> list[tuple[str, int]]:
    hosts = []
    for address in netloc.rpartition("@")[2].split(","):
        host, _, port = address.partition(":")
        if not host or (port and not port.isdigit()):
            raise ValueError("a Sentinel URL lists host:port,host:port")
        hosts.append((host, int(port or DEFAULT_SENTINEL_PORT)))
    return hosts
