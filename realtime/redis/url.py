"""Redis addresses: a URL becomes a factory of redis-py connections.

redis-py does what is hard about a connection (TLS, unix sockets, authentication); what
happens on it afterwards is ours, in :mod:`realtime.redis.connection`.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from realtime.redis.sentinel import Primary, Sentinels

ConnectionFactory = Callable[[], AbstractConnection]

DEFAULT_PORT = 6379
DEFAULT_SENTINEL_PORT = 26379
SENTINEL_SCHEMES = frozenset({"sentinel", "redis+sentinel", "rediss+sentinel"})
CLUSTER_SCHEMES = frozenset({"redis+cluster", "rediss+cluster"})
TLS_SCHEMES = frozenset({"rediss", "rediss+sentinel", "rediss+cluster"})
# What may stand behind the question mark.
LOGIN_OPTIONS = frozenset({"username", "password", "db"})
TLS_FILES = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})
TLS_OPTIONS = TLS_FILES | {
    *("ssl_ca_path", "ssl_password", "ssl_cert_reqs", "ssl_check_hostname"),
}
SENTINEL_OPTIONS = frozenset({"sentinel_username", "sentinel_password", "sentinel_tls"})
CLUSTER_OPTIONS = frozenset({"address_map"})
BOOLEANS = {"true": True, "false": False}
PLAIN_SCHEMES = frozenset({"redis", "rediss", "unix"})
ENCODED = "in a password, / ? # [ ] and % must be percent-encoded (/ is %2F, # is %23)"


def connection_factory(url: str, *, timeout_seconds: float) -> ConnectionFactory:
    """Return a factory of unconnected connections to the server that ``url`` names.

    Understands ``redis://``, ``rediss://``, ``unix://`` and
    ``sentinel://[user:password@]host:port,host:port/<db>/<service>`` (also spelt
    ``redis+sentinel://``; ``rediss+sentinel://`` with TLS to the primary and, but for
    ``?sentinel_tls=false``, to the Sentinels). A Sentinel connection asks for the
    present primary each time it connects.

    Args:
        url: The address; credentials are percent-decoded.
        timeout_seconds: Deadline of the connect and of each step of the handshake.

    Raises:
        ValueError: when the URL cannot be used; the text does not repeat it, because
            it may hold a password.
    """
    common = _common(timeout_seconds)
    scheme = url.partition("://")[0] if "://" in url else ""
    if scheme not in PLAIN_SCHEMES | SENTINEL_SCHEMES:
        known = ", ".join(sorted(PLAIN_SCHEMES | SENTINEL_SCHEMES | CLUSTER_SCHEMES))
        raise ValueError(f"scheme {scheme!r} is none of {known}")
    options = _options(url, scheme)
    if scheme in SENTINEL_SCHEMES:
        return _sentinel_factory(url, common, options)
    if scheme == "unix":
        common.pop("socket_keepalive")
    else:
        _check_place(url)
    pool = ConnectionPool.from_url(url.partition("?")[0], **common, **options)
    return pool.make_connection


def _common(timeout_seconds: float) -> dict[str, Any]:
    return {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        "socket_keepalive": True,
        "protocol": 2,
    }


class ClusterUrl(NamedTuple):
    """Where a cluster is.

    Attributes:
        seeds: Some of its nodes, by which the others are found.
        address_map: What a node announces to where it is reached, if not there.
        connection: Makes an unconnected connection to a host and port.
    """

    seeds: tuple[tuple[str, int], ...]
    address_map: Mapping[tuple[str, int], tuple[str, int]]
    connection: Callable[[str, int], AbstractConnection]


def check_url(url: str) -> None:
    """Return if an address can be used.

    Raises:
        ValueError: as :func:`connection_factory` and :func:`parse_cluster_url` do.
    """
    if is_cluster_url(url):
        parse_cluster_url(url, timeout_seconds=1.0)
    else:
        connection_factory(url, timeout_seconds=1.0)


def is_cluster_url(url: str) -> bool:
    """Tell whether an address is that of a cluster."""
    return url.partition("://")[0] in CLUSTER_SCHEMES


def parse_cluster_url(url: str, *, timeout_seconds: float) -> ClusterUrl:
    """Return what ``redis+cluster://[user:password@]host:port,host:port`` names.

    ``rediss+cluster://`` is the same with TLS. Behind a NAT,
    ``?address_map=10.0.0.1:6379/redis.example:7001,...`` says how nodes are reached
    that announce other addresses.

    Args:
        url: The address.
        timeout_seconds: Deadline of the connect and of each step of the handshake.

    Raises:
        ValueError: when the URL cannot be used; the text does not repeat it.
    """
    options = _options(url, url.partition("://")[0])
    found = CLUSTER_URL.fullmatch(url)
    if found is None:
        raise ValueError(
            "a cluster's URL is redis+cluster://host:port,host:port, without the"
            f" number of a database; {ENCODED}"
        )
    if options.pop("db", 0):
        raise ValueError("a cluster has database 0 alone")
    mapped: dict[tuple[str, int], tuple[str, int]] = {}
    for pair in filter(None, options.pop("address_map", "").split(",")):
        announced, _, reached = pair.partition("/")
        mapped[_hosts(announced, DEFAULT_PORT)[0]] = _hosts(reached, DEFAULT_PORT)[0]
    # The caller knows other nodes to try, and when.
    common = {**_common(timeout_seconds), "retry": Retry(NoBackoff(), 0), **options}
    user, _, password = (found["login"] or "").partition(":")
    for name, given in (("username", user), ("password", password)):
        if given:
            common[name] = unquote(given)
    kind = SSLConnection if url.startswith("rediss") else Connection

    def connection(host: str, port: int) -> AbstractConnection:
        return kind(host=host, port=port, **common)

    seeds = tuple(_hosts(found["hosts"], DEFAULT_PORT))
    return ClusterUrl(seeds, mapped, connection)


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


def _options(url: str, scheme: str) -> dict[str, Any]:
    """Return what stands behind the question mark.

    Raises:
        ValueError: Something there is not known, or cannot be used.
    """
    known = set(LOGIN_OPTIONS)
    if scheme in TLS_SCHEMES | SENTINEL_SCHEMES:
        known |= TLS_OPTIONS
    if scheme in SENTINEL_SCHEMES:
        known = (known - {"db"}) | SENTINEL_OPTIONS
    if scheme in CLUSTER_SCHEMES:
        known |= CLUSTER_OPTIONS
    query = url.partition("?")[2]
    if "@" in query:
        # The question mark stands in a password.
        raise ValueError(ENCODED)
    found: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            raise ValueError(
                f"{name!r} is no option of {scheme}:// addresses; known are"
                f" {', '.join(sorted(known))}"
            )
        found[name] = _option(name, value)
    has_tls = scheme in TLS_SCHEMES or found.get("sentinel_tls", False)
    unused = sorted(TLS_OPTIONS & found.keys())
    if unused and not has_tls:
        raise ValueError(f"{unused[0]} is for TLS: rediss+sentinel:// or sentinel_tls")
    return found


def _option(name: str, value: str) -> object:
    if name in ("ssl_check_hostname", "sentinel_tls"):
        if value.lower() not in BOOLEANS:
            raise ValueError(f"{name} is true or false")
        return BOOLEANS[value.lower()]
    if name == "db":
        if not value.isdigit():
            raise ValueError("db is a number")
        return int(value)
    if name == "ssl_cert_reqs" and value not in ("none", "optional", "required"):
        raise ValueError("ssl_cert_reqs is none, optional or required")
    if name in TLS_FILES and not Path(value).is_file():
        raise ValueError(f"{name}: there is no file {value}")
    if name == "ssl_ca_path" and not Path(value).is_dir():
        raise ValueError(f"{name}: there is no folder {value}")
    return value


def _sentinel_factory(
    url: str, common: dict[str, Any], options: dict[str, Any]
) -> ConnectionFactory:
    found = SENTINEL_URL.fullmatch(url)
    if found is None:
        raise ValueError(
            "a Sentinel URL is redis+sentinel://host:port,host:port/<db>/<service>;"
            f" {ENCODED}"
        )
    tls = {name: value for name, value in options.items() if name in TLS_OPTIONS}
    is_secure = url.startswith("rediss")
    primary = {**common, **(tls if is_secure else {}), "db": int(found["db"])}
    user, _, password = (found["login"] or "").partition(":")
    for name, given in (("username", user), ("password", password)):
        value = unquote(given) or options.get(name)
        if value:
            primary[name] = value
    sentinels = Sentinels(
        _hosts(found["hosts"], DEFAULT_SENTINEL_PORT),
        unquote(found["service"]),
        # One step of three; the others are the connection to the primary.
        timeout_seconds=common["socket_timeout"] / 3,
        username=options.get("sentinel_username"),
        password=options.get("sentinel_password"),
        tls=tls if options.get("sentinel_tls", is_secure) else None,
    )
    kind = _SecurePrimaryConnection if is_secure else PrimaryConnection
    return partial(kind, sentinels=sentinels, **primary)


# By hand, because urlsplit takes the brackets of IPv6 for those of a single host.
SENTINEL_URL = re.compile(
    r"[a-z+]+://(?:(?P<login>[^/?#@]*)@)?(?P<hosts>[^/?#@]+)"
    r"/(?P<db>[0-9]+)/(?P<service>[^/?#]+)/?(?:\?[^#]*)?"
)
CLUSTER_URL = re.compile(
    r"[a-z+]+://(?:(?P<login>[^/?#@]*)@)?(?P<hosts>[^/?#@]+)/?(?:0/?)?(?:\?[^#]*)?"
)
HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:\s]+))(?::([0-9]{1,5}))?")


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


def _hosts(text: str, default_port: int) -> list[tuple[str, int]]:
    hosts = []
    for address in text.split(","):
        found = HOST.fullmatch(address)
        if found is None or not 0 < int(found[3] or default_port) <= 65_535:
            raise ValueError(
                "addresses are listed as host:port,host:port; an IPv6 address is in"
                f" brackets: [::1]:{default_port}"
            )
        hosts.append((found[1] or found[2], int(found[3] or default_port)))
    return hosts
