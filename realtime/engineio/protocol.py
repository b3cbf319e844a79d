"""Engine.IO v4 packets and payloads, without I/O.

Source: ``docs/engine.io-protocol/v4-current.md`` of socketio/socket.io. Section names
in docstrings are that document's.
"""

import base64
import binascii
import json
from typing import Final

# Packet types, section "Protocol".
OPEN: Final = "0"
CLOSE: Final = "1"
PING: Final = "2"
PONG: Final = "3"
MESSAGE: Final = "4"
UPGRADE: Final = "5"
NOOP: Final = "6"
PACKET_TYPES: Final = frozenset("0123456")

# Section "Upgrade": the client's ping and the server's pong carry this word.
PROBE: Final = "2probe"
PROBE_ANSWER: Final = "3probe"

# Section "Packet encoding", HTTP long-polling.
SEPARATOR: Final = "\x1e"
BINARY_PREFIX: Final = "b"

Packet = tuple[str, str | bytes]


class Reason:
    """Why a session ended: what ``disconnect`` handlers get.

    The first five are those of ``engineio.Server.reason``.
    """

    SERVER_DISCONNECT: Final = "server disconnect"
    CLIENT_DISCONNECT: Final = "client disconnect"
    PING_TIMEOUT: Final = "ping timeout"
    TRANSPORT_CLOSE: Final = "transport close"
    TRANSPORT_ERROR: Final = "transport error"
    # The client broke the protocol: a packet or frame that cannot be.
    PARSE_ERROR: Final = "parse error"
    # The client reads slower than it is sent to, over the bound of its buffer.
    SLOW_CONSUMER: Final = "slow_consumer"


class PacketError(ValueError):
    """The client sent what is no packet of the protocol; its session ends."""


def encode_handshake(
    *,
    sid: str,
    upgrades: list[str],
    ping_interval_ms: int,
    ping_timeout_ms: int,
    max_payload: int,
) -> str:
    """Return the ``open`` packet, section "Handshake"."""
    fields = {
        "sid": sid,
        "upgrades": upgrades,
        "pingInterval": ping_interval_ms,
        "pingTimeout": ping_timeout_ms,
        "maxPayload": max_payload,
    }
    return OPEN + json.dumps(fields, separators=(",", ":"))


def encode_message(data: str | bytes) -> str:
    """Return a message packet as a polling payload carries it.

    Section "HTTP long-polling": binary is base64 with the prefix ``b`` and no packet
    type.
    """
    if isinstance(data, str):
        return MESSAGE + data
    return BINARY_PREFIX + base64.b64encode(data).decode("ascii")


def decode_packet(text: str) -> Packet:
    """Return the type and data of one encoded packet.

    Raises:
        PacketError: when the text is empty, of an unknown type or not base64.
    """
    kind = text[:1]
    if kind == BINARY_PREFIX:
        try:
            return MESSAGE, base64.b64decode(text[1:], validate=True)
        except (binascii.Error, ValueError) as error:
            raise PacketError("invalid base64") from error
    if kind not in PACKET_TYPES or not kind:
        raise PacketError("unknown packet type")
    return kind, text[1:]


def count_packets(body: bytes) -> int:
    """Return how many packets a POST body has."""
    return body.count(b"\x1e") + 1


def decode_payload(body: bytes, max_packets: int) -> list[Packet]:
    """Return the packets of a POST body, section "HTTP long-polling".

    Args:
        body: The request's body, UTF-8.
        max_packets: More than these are refused, before any is decoded.

    Raises:
        PacketError: when the body is empty, not UTF-8, has too many packets, or one
            of them is none. Nothing of the payload counts then.
    """
    if count_packets(body) > max_packets:
        raise PacketError("too many packets in a payload")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PacketError("payload is not UTF-8") from error
    return [decode_packet(part) for part in text.split(SEPARATOR)]
