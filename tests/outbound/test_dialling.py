"""Which addresses a hook may be at."""

import socket
from collections.abc import Container

import pytest

from realtime.addresses import parse_networks
from realtime.outbound.dialling import guarded_sockets

PUBLIC = ["93.184.215.14", "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"]
INSIDE = [
    "127.0.0.1",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::808:808",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "fe80::1",
    "fe80::1%lo",
    "fec0::1",
    "fd00::1",
    "ff02::1",
    "2001:db8::1",
]


def dial(
    address: str,
    *,
    allowed: str = "none",
    public: bool = True,
    ports: Container[int] | None = None,
) -> bool:
    """Return whether a socket is made for an address, port 443."""
    make = guarded_sockets(parse_networks(allowed), public=public, ports=ports)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        made = make((family, socket.SOCK_STREAM, 0, "", (address, 443)))
    except PermissionError:
        return False
    made.close()
    return True


@pytest.mark.parametrize("address", PUBLIC)
def test_the_internet_is_dialled(address: str) -> None:
    """But not in the clear."""
    assert dial(address)
    assert not dial(address, public=False)


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_inside_is_not(address: str) -> None:
    """Whatever form the address of a private network or of this machine has."""
    assert not dial(address)
    assert not dial(address, allowed="203.0.113.0/24, 2606:4700::/32")


def test_networks_that_are_named_are_dialled() -> None:
    """These only, in the clear as well; by the address inside of another one, too."""
    assert dial("10.1.2.3", allowed="10.0.0.0/8", public=False)
    assert dial("::ffff:10.1.2.3", allowed="10.0.0.0/8", public=False)
    assert dial("fd00::1", allowed="fd00::/8")
    assert not dial("10.1.2.3", allowed="10.2.0.0/16")


def test_ports_of_the_internet_may_be_few() -> None:
    """Of networks that are named any port is dialled."""
    assert dial("8.8.8.8", ports={443})
    assert not dial("8.8.8.8", ports={8443})
    assert dial("10.1.2.3", allowed="10.0.0.0/8", ports={8443})
