"""Which addresses a hook may be at, judged where they are dialled.

A name may lead elsewhere by the time it is called, so it says nothing. Of an address
that another one carries (IPv4 in IPv6, 6to4, NAT64), the inner one is judged as well.
"""

import errno
import ipaddress
import socket
from collections.abc import Callable, Container, Sequence
from typing import Any, Final

from yarl import URL

from realtime.addresses import Network

_IP = ipaddress.IPv4Address | ipaddress.IPv6Address

# All that was ever given to networks of the internet.
_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
_LOOPBACK: Final = (ipaddress.IPv4Address("127.0.0.1"), ipaddress.IPv6Address("::1"))
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


def guarded_sockets(
    allowed: Sequence[Network],
    *,
    public: bool,
    ports: Container[int] | None = None,
) -> Callable[[tuple[Any, ...]], socket.socket]:
    """Return a ``socket_factory`` for aiohttp, which sees whatever is dialled.

    Args:
        allowed: Networks that may be dialled, whatever they are.
        public: Whether all public addresses may be, besides.
        ports: Those of public addresses that may be; None: all.
    """

    def make(info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _name, address = info
        found = _inner(ipaddress.ip_address(address[0]))
        if not any(found in network for network in allowed) and not (
            public and is_public(found) and (ports is None or address[1] in ports)
        ):
            raise PermissionError(
                errno.EACCES, f"{found} port {address[1]} is not dialled"
            )
        return socket.socket(family, kind, protocol)

    return make


def may_be_dialled(
    url: str, allowed: Sequence[Network], *, ports: Container[int]
) -> bool:
    """Return whether an address could ever be dialled; a name is not looked up.

    Args:
        url: Of ``http`` or ``https``.
        allowed: Networks that may be dialled, whatever they are.
        ports: Those of public addresses that may be.
    """
    try:
        place = URL(url)
        host, port = place.host or "", place.port
    except ValueError:
        return False
    public = place.scheme == "https" and port in ports
    if host == "localhost" or host.endswith(".localhost"):
        found: Sequence[_IP] = _LOOPBACK
    else:
        try:
            found = (_inner(ipaddress.ip_address(host)),)
        except ValueError:
            # A name: it may lead to a network that is allowed.
            return bool(host) and (public or bool(allowed))
    return any(
        (public and is_public(each)) or any(each in network for network in allowed)
        for each in found
    )


def is_public(address: _IP) -> bool:
    """Return whether an address belongs to a machine somewhere on the internet."""
    found = _inner(address)
    if isinstance(found, ipaddress.IPv6Address) and found not in _UNICAST:
        return False
    return found.is_global and not found.is_multicast


def _inner(address: _IP) -> _IP:
    """Return the IPv4 address that an IPv6 address leads to, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address
