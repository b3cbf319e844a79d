"""Addresses: who is behind a connection, and how much one address holds."""

import logging

import pytest

from realtime.addresses import Addresses, parse_networks

PROXIES = parse_networks("127.0.0.1, 10.0.0.0/8, fd00::/8")
CLIENT = "198.51.100.7"


@pytest.mark.parametrize(
    ("forwarded", "name"),
    [
        ([CLIENT], CLIENT),
        # What stands left of the right-most stranger is the client's own word.
        ([f"8.8.8.8, {CLIENT}"], CLIENT),
        (["8.8.8.8", CLIENT], CLIENT),
        ([f"{CLIENT}, 10.1.2.3"], CLIENT),
        ([f"8.8.8.8,{CLIENT}, 10.1.2.3 ,10.0.0.9"], CLIENT),
        ([f"{CLIENT}:50123"], CLIENT),
        ([f"::ffff:{CLIENT}"], CLIENT),
        (["2001:db8:1:2:aaaa::1"], "2001:db8:1:2::/64"),
        (["[2001:db8:1:2:bbbb::9]:443"], "2001:db8:1:2::/64"),
        # All of them are ours: the first one asked.
        (["10.4.4.4, 10.1.2.3"], "10.4.4.4"),
        ([f"{CLIENT}, unknown"], ""),
        ([""], ""),
    ],
)
def test_a_trusted_proxy_says_who_it_is(forwarded: list[str], name: str) -> None:
    """The right-most hop that is no trusted proxy is the client."""
    assert Addresses(PROXIES).find("127.0.0.1", forwarded).name == name


@pytest.mark.parametrize("peer", ["8.8.4.4", "::ffff:8.8.4.4"])
def test_nobody_else_is_believed(peer: str) -> None:
    """Who is no trusted proxy cannot take another's address."""
    assert Addresses(PROXIES).find(peer, [CLIENT]).name == "8.8.4.4"
    assert Addresses().find(peer, [CLIENT]).name == "8.8.4.4"


@pytest.mark.parametrize(
    ("peer", "name"),
    [
        ("172.17.0.1", "172.17.0.1"),
        ("fd12::7", "fd12::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        # This machine, and whoever may open a UNIX socket.
        ("127.0.0.1", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_a_private_peer_is_one_address_until_it_is_trusted(
    peer: str | None, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A container's neighbour is no proxy. The log says once what to do, if it is."""
    addresses = Addresses()
    assert addresses.find(peer).name == name
    assert addresses.peer_name(peer or "") == name
    assert not caplog.records
    for _ in range(2):
        assert addresses.find(peer, [CLIENT]).name == name
    warnings = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert len(warnings) == (1 if peer else 0)


@pytest.mark.parametrize("peer", ["10.1.1.1", "fd00::1", "127.0.0.1"])
def test_a_trusted_proxy_itself_has_no_limit(peer: str) -> None:
    """Its health checks come without a header; everybody comes through it."""
    addresses = Addresses(PROXIES)
    assert not addresses.find(peer).is_limited
    assert addresses.peer_name(peer) == ""


def test_subscribers_are_counted_not_their_addresses() -> None:
    """A household has one IPv4 address, and 2^64 of IPv6."""
    addresses = Addresses()
    one, other = "2001:4860:1:2::1", "2001:4860:1:2:ffff::2"
    first = addresses.find(one)
    addresses.add(first)
    assert addresses.find(other) is first
    assert addresses.find("2001:4860:1:3::1") is not first


def test_what_left_is_forgotten() -> None:
    """Nothing is kept of an address without a connection."""
    addresses = Addresses()
    here = addresses.find("8.8.8.8")
    for _ in range(2):
        addresses.add(here)
    addresses.mark_authenticated(here)
    assert (here.unauthenticated, here.sessions, addresses.unauthenticated) == (1, 1, 1)
    addresses.remove(here)
    addresses.mark_unauthenticated(here)
    assert (here.unauthenticated, here.sessions, len(addresses)) == (1, 0, 1)
    addresses.remove(here)
    assert (addresses.unauthenticated, len(addresses)) == (0, 0)


@pytest.mark.parametrize("text", ["", "10.0.0.1/8", "proxy.example.org", "10.0.0.0/8,"])
def test_a_wrong_list_is_refused(text: str) -> None:
    """A list with a mistake in it trusts nobody by accident."""
    with pytest.raises(ValueError, match=r"."):
        parse_networks(text)


def test_no_proxy_may_be_trusted() -> None:
    """For a node that clients reach over a forwarder that knows no HTTP."""
    addresses = Addresses(parse_networks("none"))
    assert not addresses.find("127.0.0.1", [CLIENT]).is_limited
