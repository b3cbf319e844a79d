"""Redis addresses: a URL becomes a factory of redis-py connections.

redis-py does what is hard about a connection (TLS, unix sockets, authentication); what
happens on it afterwards is ours, in :mod:`realtime.redis.connection`.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection

from realtime.redis.sentinel import Primary, Sentinels

ConnectionFactory = Callable[[], AbstractConnection]

DEFAULT_SENTINEL_PORT = 26379
SENTINEL_SCHEMES = frozenset({"sentinel", "redis+sentinel", "rediss+sentinel"})
PLAIN_SCHEMES = frozenset({"redis", "rediss", "unix"})
ENCODED = "in a password, / ? # [ ] and % must be percent-encoded (/ is %2F, # is %23)"


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
    else:
        _check_place(url)
    pool = ConnectionPool.from_url(url, **common)
    return pool.make_connection


def mask_url(url: str) -> str:
    """Return the address with its passwords replaced, for logs and listings."""
    url = re.sub(r"(?<=password=)[^&]+", "***", url)
    head, at, tail = url.rpartition("@")
    scheme, slashes, credentials = head.partition("://")
    user, colon, _password = credentials.partition(":")
    if not at:
        return url
    return f"{scheme}{slashes}{user}{colon}{'***' if colon else ''}@{tail}"


def _check_place(url: str) -> None:
    """Refuse what would be read as another host, port or database than was meant.

    Raises:
        ValueError: It is no port or no database's number, or the password is to blame.
    """
    parts = urlsplit(url)
    try:
        parts.port  # noqa: B018 - reading it is the check
    except ValueError:
        raise ValueError(f"its port is no number up to 65535; {ENCODED}") from None
    if "@" in parts.path or parts.fragment or ("@" in url and "@" not in parts.netloc):
        raise ValueError(ENCODED)
    if not re.fullmatch(r"/?|/\d+/?", parts.path):
        raise ValueError("it ends with a database's number: redis://host:6379/0")


def _sentinel_factory(url: str, common: dict[str, Any]) -> ConnectionFactory:
    parts = urlsplit(url)
    path = parts.path.strip("/").split("/")
    if len(path) != 2 or not path[0].isdigit() or not path[1]:
        raise ValueError("a Sentinel URL ends with /<db>/<service name>")
    query = parse_qs(parts.query)
    primary = dict(common, db=int(path[0]))
    if parts.username:
        primary["username"] = unquote(parts.username)
    if parts.password:
        primary["password"] = unquote(parts.password)
    kind = PrimaryConnection
    if parts.scheme.startswith("rediss"):
        kind = _SecurePrimaryConnection
    sentinels = Sentinels(
        _sentinel_hosts(parts.netloc),
        path[1],
        # One step of three; the others are the connection to the primary.
        timeout_seconds=common["socket_timeout"] / 3,
        password=query.get("sentinel_password", [None])[0],
    )
    return partial(kind, sentinels=sentinels, **primary)


class PrimaryConnection(Connection):
    """A connection that asks the Sentinels for the primary each time it connects."""

    def __init__(self, *, sentinels: Sentinels, **options: Any) -> None:
        super().__init__(**options)
        self.sentinels = sentinels
        self._primary: Primary | None = None

    async def connect(self) -> None:
        """Connect to the present primary."""
        self._primary = await self.sentinels.primary()
        _, self.host, self.port = self._primary
        await super().connect()  # type: ignore[no-untyped-call]

    async def replaced(self) -> str:
        """Wait until this leads to the primary no longer; return why, in words."""
        if self._primary is None:
            raise ValueError("not connected")
        _, host, port = await self.sentinels.replaced(self._primary)
        return f"the primary is {host}:{port} now"


class _SecurePrimaryConnection(PrimaryConnection, SSLConnection):
    """The same with TLS to the primary."""


def _sentinel_hosts(netloc: str) -> list[tuple[str, int]]:
    hosts = []
    for address in netloc.rpartition("@")[2].split(","):
        host, _, port = address.partition(":")
        if not host or (port and not port.isdigit()):
            raise ValueError("a Sentinel URL lists host:port,host:port")
        hosts.append((host, int(port or DEFAULT_SENTINEL_PORT)))
    return hosts
