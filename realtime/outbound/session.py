"""The HTTP client of calls to the application: no redirects, cookies or proxies."""

import asyncio
from collections.abc import Container, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final

import aiohttp
from yarl import URL

from realtime.addresses import Network
from realtime.outbound.dialling import guarded_sockets

# Seconds for which a connection is kept: less than the 5 s after which many servers
# close it, perhaps at the moment of the next call.
KEEPALIVE_SECONDS: Final = 4.0


class OutboundSession:
    """Posts to one address, without deadlines: whoever calls has one of their own.

    Args:
        url: Where to; public addresses are dialled for ``https`` only.
        allowed: Networks that may be dialled, whatever they are.
        connections: At most, at a time.
        ports: Those of public addresses that may be; None: all.
    """

    def __init__(
        self,
        url: str,
        *,
        allowed: Sequence[Network],
        connections: int,
        ports: Container[int] | None = None,
    ) -> None:
        self._url = URL(url)
        self._allowed = allowed
        self._connections = connections
        self._ports = ports
        self._http: aiohttp.ClientSession | None = None

    async def run(self) -> None:
        """Hold the connections until cancelled; nothing is posted before."""
        async with self._open() as self._http:
            try:
                await asyncio.Event().wait()
            finally:
                self._http = None

    def post(
        self, body: bytes, headers: Mapping[str, str]
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Post JSON once, and return the answer's head; a redirect is an answer.

        Raises:
            ValueError: The connections are not held, or not any more.
        """
        if self._http is None:
            raise ValueError("the node goes down")
        return self._http.post(
            self._url, data=body, headers=headers, allow_redirects=False
        )

    def _open(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._connections,
                keepalive_timeout=KEEPALIVE_SECONDS,
                socket_factory=guarded_sockets(
                    self._allowed,
                    public=self._url.scheme == "https",
                    ports=self._ports,
                ),
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
