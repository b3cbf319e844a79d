"""The settings of an Engine.IO server, checked once when it is made."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

TRANSPORTS: Final = ("polling", "websocket")

Origins = str | Collection[str] | Callable[..., bool] | None
Cookie = str | Mapping[str, object] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Keywords of ``engineio.AsyncServer``, and the bounds that it does not have.

    ``ping_interval`` may be a pair: the interval, and a grace that is only announced.
    """

    # Seconds between a pong (or the handshake) and the next ping.
    ping_interval: float | tuple[float, float] = 25
    # Seconds that a client has to answer a ping.
    ping_timeout: float = 20
    # Largest message, and largest request body, in bytes; announced as maxPayload.
    max_http_buffer_size: int = 1_000_000
    allow_upgrades: bool = True
    # Whether answers to polls are compressed for clients that accept it.
    http_compression: bool = True
    # Answers of fewer bytes are not compressed.
    compression_threshold: int = 1024
    cookie: Cookie = None
    cors_allowed_origins: Origins = None
    cors_credentials: bool = True
    # False: a session that answers no ping is kept.
    monitor_clients: bool = True
    transports: Collection[str] = TRANSPORTS
    # Bytes that may wait for one client, in its transport's buffer or for its next
    # poll, beside one message of any length: the longest since nothing waited. Over
    # it the session ends with the reason ``slow_consumer``.
    write_buffer_bytes: int = 1_048_576
    # Packets in one request body. A client that emits thousands of events in one
    # step sends them as one payload, so this is no small number.
    max_payload_packets: int = 10_000
    # Packets in one answer to a poll: python-engineio's clients refuse more than 16.
    max_poll_packets: int = 16
    # Messages of one session that handlers work on at a time; at the bound nothing
    # more is read from that client until one is done. More than a person's client
    # ever has under way; a flooder's connections have that many each at once.
    max_in_flight: int = 32
    # Messages of one WebSocket, of whatever kind: a second in the long run, and at
    # once. A client that sends more is read that slowly. None: any number.
    message_rate: tuple[float, int] | None = None
    # The same of a client whose user is not known yet, if it has limits of its own; one
    # that sends more is closed: it needs few.
    first_message_rate: tuple[float, int] = (1.0, 100)
    # Attempts to be let in that come to nothing, of all clients: a second in the long
    # run, and at once. Others wait. None: any number.
    attempt_rate: tuple[float, int] | None = None
    # Connections that come to nothing, likewise.
    arrival_rate: tuple[float, int] | None = None
    # Seconds from the WebSocket's opening to the packet that completes an upgrade.
    upgrade_timeout: float = 10
    # Seconds for the other side's close frame, for the client to fetch what is left
    # of a closed polling session, and for what is unsent at shutdown.
    close_timeout: float = 5
    # Largest packet of a client whose user is not known yet, in bytes; None: as of all.
    unauthenticated_packet_bytes: int | None = None
    # Seconds for the whole body of a request to arrive.
    body_timeout: float = 20
    # Connections of one address that have no session yet (python-socketio's CONNECT
    # was not accepted); None: any number.
    address_unauthenticated: int | None = None
    # The same of all addresses together.
    node_unauthenticated: int | None = None
    ping_grace: float = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Normalise, and refuse what cannot be.

        Raises:
            ValueError: no valid transport, or a bound that is not positive.
        """
        wanted = self.transports
        named = [wanted] if isinstance(wanted, str) else wanted
        known = tuple(name for name in named if name in TRANSPORTS)
        if not known:
            raise ValueError("No valid transports provided")
        object.__setattr__(self, "transports", known)
        if isinstance(self.ping_interval, tuple):
            interval, grace = self.ping_interval
            object.__setattr__(self, "ping_interval", interval)
            object.__setattr__(self, "ping_grace", grace)
        for name in ("ping_interval", "ping_timeout", "max_http_buffer_size"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above zero")

    @property
    def is_limited_at_first(self) -> bool:
        """Whether clients whose user is not known yet have limits of their own."""
        return self.unauthenticated_packet_bytes is not None

    @property
    def first_packet_bytes(self) -> int:
        """Largest packet of a client whose user is not known yet, in bytes."""
        largest = self.max_http_buffer_size
        return min(largest, self.unauthenticated_packet_bytes or largest)

    def packet_rate(self, *, is_authenticated: bool) -> tuple[float, int] | None:
        """Return how many messages of one session are read, a second and at once."""
        if is_authenticated or not self.is_limited_at_first:
            return self.message_rate
        return self.first_message_rate

    @property
    def interval_seconds(self) -> float:
        """Seconds between pings, without the grace."""
        interval = self.ping_interval
        return interval[0] if isinstance(interval, tuple) else interval

    @property
    def announced_interval_ms(self) -> int:
        """The interval that clients are told, with the grace, in milliseconds."""
        return round((self.interval_seconds + self.ping_grace) * 1000)

    @property
    def ping_timeout_ms(self) -> int:
        """Milliseconds that a client has to answer a ping."""
        return round(self.ping_timeout * 1000)
