"""What the engine's parts need of each other, so that no part imports its users.

A session imports its transports and the parts of its server. Those know sessions by
the protocols of this module alone.
"""

from collections.abc import Hashable
from typing import Protocol

from realtime.addresses import Address
from realtime.engineio.attempts import Attempts


class Observer(Protocol):
    """Counts packets, for whoever looks at a server from outside."""

    def packet_received(self, size: int) -> None:
        """Count a packet that a client sent; ``size`` in bytes or characters."""

    def packets_sent(self, count: int, size: int) -> None:
        """Count packets sent to a client; ``size`` in bytes or characters."""


class Abortable(Hashable, Protocol):
    """A connection, for what ends connections that take too long to close."""

    def abort(self) -> None:
        """Drop the connection and whatever was not sent."""


class FrameWriter(Hashable, Protocol):
    """A session, for the cork."""

    def write_frames(self, data: bytes) -> None:
        """Write complete frames if the transport is a WebSocket."""


class HeartbeatPeer(Hashable, Protocol):
    """A session, for the heartbeat."""

    @property
    def is_pong_delayed(self) -> bool:
        """Whether its pong may be late without being lost."""

    @property
    def unsent_bytes(self) -> int:
        """Bytes on their way to the client that the network has not taken yet."""

    def ping(self) -> None:
        """Send a ping packet."""

    def time_out(self) -> None:
        """End the session: no pong came in time."""


class UpgradingSession(Hashable, Protocol):
    """A session, for the deadline of its upgrade."""

    def time_out_upgrade(self) -> None:
        """Close the WebSocket that did not complete the upgrade in time."""


class CountedSession(Protocol):
    """A session, for the limits on addresses."""

    address: Address | None
    is_authenticated: bool
    line: Attempts | None
    spent: float

    def authentication_changed(self) -> None:
        """Take note that ``is_authenticated`` has changed."""


class HandledSession(Hashable, Protocol):
    """A session, for what calls the handlers of its messages."""

    sid: str

    @property
    def is_held(self) -> bool:
        """Whether something is going on that the session's end must wait for."""

    def hold(self) -> None:
        """Read no more, and announce no end, until :meth:`unhold`."""

    def unhold(self) -> None:
        """Go on after :meth:`hold`."""

    def handler_started(self) -> None:
        """Count a handler that runs beside others."""

    def handler_finished(self) -> None:
        """Count a handler that has ended."""


class Closable(Protocol):
    """A session, for its polling transport."""

    def close(self, reason: str) -> None:
        """End the session for a reason of :class:`~.protocol.Reason`."""


class TransportOwner(FrameWriter, Closable, Protocol):
    """A session, for its WebSocket or the one that asks to become it."""

    closed: bool
    paused: bool
    is_probed: bool
    socket_number: int

    def receive(self, kind: str, data: str | bytes) -> None:
        """Handle a packet from the client."""

    def slow_down(self, seconds: float) -> None:
        """Read nothing from the client for so long."""

    def accept_probe(self) -> None:
        """Take note that the client's probe came over the WebSocket."""

    def complete_upgrade(self) -> None:
        """Make the WebSocket that asked for it the transport."""

    def cancel_upgrade(self, candidate: object) -> None:
        """Go on polling if it is this WebSocket that asked to become the transport."""


class ClosedSessions(Protocol):
    """The registry of sessions, for a session that ends."""

    def remove(self, session: "EndedSession", reason: str) -> None:
        """Take a closed session out of everything, and announce its end."""


class EndedSession(
    HandledSession, HeartbeatPeer, UpgradingSession, CountedSession, Protocol
):
    """A session, for the registry that it is taken out of."""

    connected: bool
