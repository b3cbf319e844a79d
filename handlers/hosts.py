"""By which names this server may be called where whoever reaches it is believed.

A page on ``http://evil.example:5000`` whose name is made to lead to 127.0.0.1 (DNS
rebinding) counts as this server's own for the browser. Its requests still say ``Host:
evil.example``: names that nobody gave this server are refused.
"""

import ipaddress
import logging
from collections.abc import Collection
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

ANY: Final = "*"

# Of a name that a client sent.
SHOWN_CHARACTERS: Final = 100

_logger = logging.getLogger(__name__)


class Hosts:
    """The names of this server: addresses, ``localhost``, and those that it was given.

    Args:
        names: Host names, in small letters and without ports; ``*``: any.
    """

    def __init__(self, names: Collection[str] = ()) -> None:
        self._names = frozenset(names)

    def allow(self, host: str | None) -> bool:
        """Return whether a request with this ``Host`` header may be meant for us.

        No browser leaves the header out.
        """
        if host is None or ANY in self._names:
            return True
        name = _without_port(host.strip().lower()).removesuffix(".")
        if name == "localhost" or name.endswith(".localhost") or name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def refuse_other_hosts(hosts: Hosts) -> Middleware:
    """Return a middleware that answers no request that calls us by another name."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        host = request.headers.get(hdrs.HOST)
        if hosts.allow(host):
            return await handler(request)
        shown = ascii((host or "")[:SHOWN_CHARACTERS])
        _logger.warning(
            "A request for the host %s is refused in development mode. If it is a name"
            " of this server, add it to CHATROOM_ALLOWED_HOSTS.",
            shown,
        )
        raise web.HTTPForbidden(
            text="In development mode this server answers to localhost and to addresses"
            f" alone, not to {shown}. CHATROOM_ALLOWED_HOSTS names others.\n"
        )

    return check


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
