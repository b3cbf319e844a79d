"""The sockets that a node listens on, and what to type to reach them."""

import asyncio
import errno
import ipaddress
import socket
from contextlib import ExitStack
from typing import Final

from realtime.errors import StartError

# The machine, or container, lacks the address: ``localhost`` may name ::1 all the same.
NOT_HERE: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


async def bind(host: str, port: int, *, shared: bool = False) -> list[socket.socket]:
    """Return a bound socket for each address of a host that this machine has.

    ``::`` takes IPv4 as well. With port 0 all get the same free one.

    Args:
        host: A name or an address.
        port: The port.
        shared: Whether others of this user may be bound to it as well: the kernel then
            spreads connections over those that listen.

    Raises:
        StartError: The port is taken, or none of the addresses can be had.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise StartError(busy_words(host, port, error)) from error
    has_ipv4 = any(each[0] == socket.AF_INET for each in found)
    made: list[socket.socket] = []
    missing: OSError | None = None
    with ExitStack() as stack:
        for family, _kind, _protocol, _name, address in dict.fromkeys(found):
            if made and not port:
                address = (address[0], made[0].getsockname()[1], *address[2:])
            try:
                one = _bound(family, address, with_ipv4=not has_ipv4, shared=shared)
            except OSError as error:
                if error.errno not in NOT_HERE:
                    raise StartError(busy_words(host, port, error)) from error
                missing = error
            else:
                made.append(stack.enter_context(one))
        if not made and missing is not None:
            raise StartError(busy_words(host, port, missing)) from missing
        stack.pop_all()
    return made


def _bound(
    family: int, address: tuple[object, ...], *, with_ipv4: bool, shared: bool
) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setblocking(False)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            # Where IPv4 has a socket of its own, this one must leave it its port.
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(not with_ipv4))
        one.bind(address)
    except OSError:
        one.close()
        raise
    return one


def page_address(host: str, port: int) -> str:
    """Return what to type into a browser on this machine."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"http://{host or 'localhost'}:{port}"
    if address.is_unspecified or address == ipaddress.IPv4Address("127.0.0.1"):
        host = "localhost"
    elif address.version == 6:
        host = f"[{host}]"
    return f"http://{host}:{port}"


def busy_words(host: str, port: int, error: OSError) -> str:
    """Return what to tell of a port that cannot be listened on."""
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return f"{where} is in use by another program; choose another --port."
    reason = error.strerror or error
    return f"{where} cannot be listened on: {reason}."
