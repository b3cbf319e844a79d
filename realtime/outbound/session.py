"""The HTTP client of calls to the application: no redirects, cookies or proxies."""

from collections.abc import Container, Sequence
from typing import Final

import aiohttp

from realtime.addresses import Network
from realtime.outbound.dialling import guarded_sockets

# Seconds for which a connection is kept: less than the 5 s after which many servers
# close it, perhaps at the moment of the next call.
KEEPALIVE_SECONDS: Final = 4.0


def open_session(
    allowed: Sequence[Network],
    *,
    public: bool,
    connections: int,
    ports: Container[int] | None = None,
) -> aiohttp.ClientSession:
    """Return a client without deadlines: whoever calls has one of their own.

    They say ``allow_redirects=False`` as well: no client knows that as its default.

    Args:
        allowed: Networks that may be dialled, whatever they are.
        public: Whether all public addresses may be, besides.
        connections: At most, at a time.
        ports: Those of public addresses that may be; None: all.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=connections,
            keepalive_timeout=KEEPALIVE_SECONDS,
            socket_factory=guarded_sockets(allowed, public=public, ports=ports),
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        # The deadline is of the call as a whole, and one timer is enough.
        timeout=aiohttp.ClientTimeout(),
        trust_env=False,
        # An answer that unpacks to more than it is would have to be bounded twice.
        auto_decompress=False,
        headers={
            "User-Agent": "chatroom",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
        },
    )
