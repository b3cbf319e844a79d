"""Who connects from where: a connection's address, and how much each address holds.

An address is counted as one network subscriber: an IPv4 address, or the /64 of an IPv6
address, of which every household has one.
"""

import ipaddress
import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from realtime.elsewhere import ALONE, Elsewhere, Kind

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_IP = ipaddress.IPv4Address | ipaddress.IPv6Address

# Prefix of an IPv6 address that a subscriber has for themselves (RFC 6177).
SUBSCRIBER_BITS: Final = 64

NO_NETWORKS: Final = "none"

# Addresses that are remembered as somebody's: some 2 MB.
KNOWN_ADDRESSES: Final = 10_000

_logger = logging.getLogger(__name__)


def parse_networks(text: str) -> tuple[Network, ...]:
    """Return the networks of a list such as ``127.0.0.1, 10.0.0.0/8``.

    Raises:
        ValueError: Something in it is no network.
    """
    if text.strip() == NO_NETWORKS:
        return ()
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(","))


class Address:
    """What one address holds at this node.

    Args:
        name: The address, or the prefix; empty for all that are not limited.
        elsewhere: What it holds at other processes of the machine.

    Attributes:
        name: As given.
        sessions: Connections of which it is known whose they are.
        unauthenticated: Connections of which that is not known yet.
    """

    __slots__ = ("_elsewhere", "name", "sessions", "unauthenticated")

    def __init__(self, name: str, elsewhere: Elsewhere = ALONE) -> None:
        self.name = name
        self.sessions = 0
        self.unauthenticated = 0
        self._elsewhere = elsewhere

    @property
    def is_limited(self) -> bool:
        """Whether it stands for one subscriber, not for a proxy or this machine."""
        return bool(self.name)

    @property
    def all_sessions(self) -> int:
        """Its sessions on the whole machine."""
        held = self._elsewhere.held(Kind.ADDRESS_SESSIONS, self.name)
        return self.sessions + held

    @property
    def all_unauthenticated(self) -> int:
        """Its connections on the whole machine that are nobody's yet."""
        held = self._elsewhere.held(Kind.ADDRESS_UNAUTHENTICATED, self.name)
        return self.unauthenticated + held

    def change_unauthenticated(self, by: int) -> None:
        """Count so many more connections that are nobody's yet."""
        self.unauthenticated += by
        if self.name:
            self._elsewhere.change(Kind.ADDRESS_UNAUTHENTICATED, self.name, by)

    def change_sessions(self, by: int) -> None:
        """Count so many more sessions."""
        self.sessions += by
        if self.name:
            self._elsewhere.change(Kind.ADDRESS_SESSIONS, self.name, by)


class Addresses:
    """The addresses that hold connections of this node.

    A trusted proxy has no limit itself, nor has this machine: everybody may come
    through it. A peer of a private network that is not trusted is limited as all
    others are, whoever may be behind it.

    Args:
        trusted: Proxies whose ``X-Forwarded-…`` headers are believed.
        elsewhere: What addresses hold at other processes of the machine.

    Attributes:
        unauthenticated: Connections of this process that are nobody's yet.
    """

    def __init__(
        self, trusted: Sequence[Network] = (), elsewhere: Elsewhere = ALONE
    ) -> None:
        self._trusted = trusted
        self._elsewhere = elsewhere
        self._held: dict[str, Address] = {}
        # Names of addresses that users came from, the last one at the end.
        self._known: OrderedDict[str, None] = OrderedDict()
        self._has_warned = False
        self.unauthenticated = 0

    def __len__(self) -> int:
        return len(self._held)

    def find(self, peer: str | None, forwarded: Sequence[str] = ()) -> Address:
        """Return the address of a request.

        Args:
            peer: The other end of its connection.
            forwarded: The values of its ``X-Forwarded-For`` headers.
        """
        name = self._name(peer, forwarded)
        return self._held.get(name) or Address(name, self._elsewhere)

    def peer_name(self, peer: str) -> str:
        """Return whom a connection belongs to that has asked for nothing yet.

        Empty for proxies, trusted or possible: everybody comes through them.
        """
        hop = _parse(peer)
        return "" if hop is None or self._trusts(hop) else self._name(peer, ())

    def is_trusted(self, peer: str) -> bool:
        """Return whether a peer is a proxy whose forwarding headers are believed."""
        hop = _parse(peer)
        return hop is not None and self._trusts(hop)

    def is_known(self, address: Address) -> bool:
        """Return whether somebody proved who they are from there lately.

        Never of what is not limited: everybody may come through it.
        """
        return address.name in self._known

    def note_known(self, address: Address) -> None:
        """Remember that somebody proved who they are from there."""
        if address.is_limited:
            self._known[address.name] = None
            self._known.move_to_end(address.name)
            if len(self._known) > KNOWN_ADDRESSES:
                self._known.popitem(last=False)

    def is_near(self, peer: str | None) -> bool:
        """Return whether a peer is of this machine or of a private network."""
        hop = _parse(peer or "")
        return hop is None or _is_near(hop)

    def add(self, address: Address) -> None:
        """Count a connection that is not authenticated yet."""
        self._held[address.name] = address
        self._change_unauthenticated(address, 1)

    def mark_authenticated(self, address: Address) -> None:
        """Count one of the address's unauthenticated connections as a session."""
        self._change_unauthenticated(address, -1)
        address.change_sessions(1)
        self.note_known(address)

    def mark_unauthenticated(self, address: Address) -> None:
        """Count one of the address's sessions as unauthenticated again."""
        address.change_sessions(-1)
        self._change_unauthenticated(address, 1)

    def remove(self, address: Address) -> None:
        """Forget one unauthenticated connection; a session is marked as such first."""
        self._change_unauthenticated(address, -1)
        if not address.unauthenticated and not address.sessions:
            self._held.pop(address.name, None)

    @property
    def all_unauthenticated(self) -> int:
        """Connections of the whole machine that are nobody's yet."""
        return self.unauthenticated + self._elsewhere.unauthenticated()

    def _change_unauthenticated(self, address: Address, by: int) -> None:
        address.change_unauthenticated(by)
        self.unauthenticated += by
        self._elsewhere.change_unauthenticated(by)

    def _name(self, peer: str | None, forwarded: Sequence[str]) -> str:
        hop = _parse(peer or "")
        if hop is None:
            # A UNIX socket: whoever may open it.
            return ""
        if self._trusts(hop):
            return self._forwarded_name(forwarded) if forwarded else ""
        if forwarded and _is_near(hop) and not self._has_warned:
            self._has_warned = True
            _logger.warning(
                "X-Forwarded-For from %s is not believed, so all who come through it"
                " are limited as one address: name it in CHATROOM_TRUSTED_PROXIES.",
                hop,
            )
        return "" if hop.is_loopback else _subscriber(hop)

    def _forwarded_name(self, forwarded: Sequence[str]) -> str:
        """Return the right-most hop that is no trusted proxy: who it came from.

        Each proxy appends whom it saw; what stands left of that is the client's word.
        """
        found = ""
        for part in reversed(",".join(forwarded).split(",")):
            hop = _parse(_without_port(part.strip()))
            if hop is None:
                break
            found = _subscriber(hop)
            if not self._trusts(hop):
                break
        return found

    def _trusts(self, hop: _IP) -> bool:
        return any(hop in network for network in self._trusted)


def _is_near(hop: _IP) -> bool:
    return hop.is_private or hop.is_loopback or hop.is_link_local


def _parse(text: str) -> _IP | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _without_port(text: str) -> str:
    """Some proxies say ``1.2.3.4:567`` or ``[2001:db8::1]:567``."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _subscriber(hop: _IP) -> str:
    if isinstance(hop, ipaddress.IPv4Address):
        return str(hop)
    network = ipaddress.ip_network((int(hop), SUBSCRIBER_BITS), strict=False)
    return str(network)
