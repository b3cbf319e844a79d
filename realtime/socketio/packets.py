"""Socket.IO v5 packets from clients, parsed strictly and without I/O.

Source: ``docs/socket.io-protocol/v5-current.md`` of socketio/socket.io, and its parser
where the text is silent. What is no packet raises; the connection is closed then.
"""

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

CONNECT: Final = 0
DISCONNECT: Final = 1
EVENT: Final = 2
ACK: Final = 3
CONNECT_ERROR: Final = 4
BINARY_EVENT: Final = 5
BINARY_ACK: Final = 6

# JavaScript's clients count acks with numbers: 2**53 has 16 digits.
_MAX_ID_DIGITS: Final = 16
_MAX_ATTACHMENT_DIGITS: Final = 4
# Characters of a CONNECT packet: a token of 16,384 and its frame around it. Whoever may
# send more has proven who they are.
CONNECT_CHARACTERS: Final = 32_768
# Characters of a packet without its attachments: four times what the longest text with
# all its mentions takes when each character is escaped. Decoding them takes 2 ms.
JSON_CHARACTERS: Final = 262_144
# Commas and opening brackets of a packet's JSON outside its strings: about as many as
# it has fields and entries, each of which is an object in memory while the packet
# waits. A payload may have half as many (``handlers.guard.PAYLOAD_VALUES``).
JSON_SEPARATORS: Final = 4_096
# Of those in its strings as well, and of quotation marks and backslashes: where there
# are more it is no text with data that may be. To look through as many takes 1 ms.
JSON_MARKS: Final = 32_768
# Names longer than this, in characters, are no namespaces of anybody.
_MAX_NAMESPACE: Final = 256
# How deep lists and objects may lie in each other. Encoders, and whatever walks such a
# value by recursion, give up between 250 and 1,000.
MAX_DEPTH: Final = 200

_ESCAPE = re.compile(r"\\.", re.DOTALL)
_BRACKETS = re.compile(r"[\[{\]}]")


# What nearly every packet begins with: an event, its namespace without a query, its id.
_EVENT_HEAD = re.compile(
    rf"2(?:(/[^,?]{{0,{_MAX_NAMESPACE - 1}}}),)?([0-9]{{1,{_MAX_ID_DIGITS}}})?(?=\[)"
)


class SocketPacketError(ValueError):
    """The client sent what is no Socket.IO packet."""


class PacketTooLargeError(SocketPacketError):
    """A packet is longer than one of its kind may be."""


class SocketPacket(NamedTuple):
    """A packet whose data has the form that its type demands.

    ``kind`` is never a binary one: that a packet has attachments to come is said by
    ``attachments``.
    """

    kind: int
    namespace: str
    id: int | None
    data: Any
    attachments: int


def parse(
    text: str, loads: Callable[[str], Any], *, max_attachments: int
) -> SocketPacket:
    """Return the packet that a text message holds, section "Packet encoding".

    Args:
        text: ``<type>[<attachments>-][<namespace>,][<ack id>][<JSON>]``.
        loads: JSON decoder; raises ValueError.
        max_attachments: More than these are refused.

    Raises:
        SocketPacketError: when it is no packet.
    """
    usual = _EVENT_HEAD.match(text)
    if usual is not None:
        data = _json(text[usual.end() :], loads)
        _check(EVENT, data)
        namespace, digits = usual.groups()
        number = int(digits) if digits else None
        return SocketPacket(EVENT, namespace or "/", number, data, 0)
    kind = _kind(text)
    at, attachments = 1, 0
    if kind >= BINARY_EVENT:
        at, attachments = _attachments(text, max_attachments)
        kind -= BINARY_EVENT - EVENT
    namespace = "/"
    if text.startswith("/", at):
        comma = text.find(",", at)
        end = len(text) if comma < 0 else comma
        namespace = text[at:end].partition("?")[0]
        if len(namespace) > _MAX_NAMESPACE:
            raise SocketPacketError("namespace too long")
        at = end + 1
    start = at
    while "0" <= text[at : at + 1] <= "9":
        at += 1
    if at - start > _MAX_ID_DIGITS:
        raise SocketPacketError("ack id too long")
    number = int(text[start:at]) if at > start else None
    data = _json(text[at:], loads) if at < len(text) else None
    _check(kind, data)
    return SocketPacket(kind, namespace, number, data, attachments)


def head_of_event(text: str) -> tuple[str, int | None] | None:
    """Return namespace and id of an event without attachments, its JSON unread."""
    usual = _EVENT_HEAD.match(text)
    if usual is None:
        return None
    namespace, digits = usual.groups()
    return namespace or "/", int(digits) if digits else None


def has_too_much(text: str) -> bool:
    """Return whether a packet's JSON has more in it than any that is taken.

    It is not decoded for that: eighty thousand lists take 10 ms, and 5 MB.
    """
    separators = sum(map(text.count, ",[{"))
    if separators <= JSON_SEPARATORS:
        return False
    if separators + text.count('"') + text.count("\\") > JSON_MARKS:
        return True
    bare = "".join(_ESCAPE.sub("", text).split('"')[::2])
    return sum(map(bare.count, ",[{")) > JSON_SEPARATORS


def _kind(text: str) -> int:
    kind = ord(text[0]) - 48 if text else -1
    if not CONNECT <= kind <= BINARY_ACK:
        raise SocketPacketError("unknown packet type")
    if kind == CONNECT and len(text) > CONNECT_CHARACTERS:
        raise PacketTooLargeError("CONNECT too long")
    return kind


def _attachments(text: str, at_most: int) -> tuple[int, int]:
    dash = text.find("-", 1, 2 + _MAX_ATTACHMENT_DIGITS)
    digits = text[1:dash] if dash > 0 else ""
    if not (digits.isascii() and digits.isdigit()) or int(digits) > at_most:
        raise SocketPacketError("illegal number of attachments")
    return dash + 1, int(digits)


def _json(text: str, loads: Callable[[str], Any]) -> Any:
    deep = len(text) > MAX_DEPTH
    if deep and text.count("[") + text.count("{") > MAX_DEPTH and _is_too_deep(text):
        raise SocketPacketError("JSON nested too deeply")
    try:
        return loads(text)
    except (ValueError, RecursionError) as error:
        raise SocketPacketError("payload is not JSON") from error


def _is_too_deep(text: str) -> bool:
    if "\\" in text:
        text = _ESCAPE.sub("", text)
    depth = 0
    # Every second piece between quotation marks is a string.
    for piece in text.split('"')[::2]:
        for bracket in _BRACKETS.findall(piece):
            depth += 1 if bracket in "[{" else -1
            if depth > MAX_DEPTH:
                return True
    return False


def checked(
    kind: int,
    namespace: str,
    number: int | None,
    data: Any,
    attachments: int,
    *,
    max_attachments: int,
) -> SocketPacket:
    """Return a packet that another serializer has decoded.

    Raises:
        SocketPacketError: when its parts do not fit together.
    """
    if attachments > max_attachments:
        raise SocketPacketError("illegal number of attachments")
    if kind in (BINARY_EVENT, BINARY_ACK):
        kind -= BINARY_EVENT - EVENT
    _check(kind, data)
    return SocketPacket(kind, namespace, number, data, attachments)


def _check(kind: int, data: Any) -> None:
    if kind == EVENT:
        valid = isinstance(data, list) and bool(data) and isinstance(data[0], str)
    elif kind == ACK:
        valid = isinstance(data, list)
    elif kind == CONNECT:
        valid = data is None or isinstance(data, dict)
    else:
        # A client sends no CONNECT_ERROR, and nothing with DISCONNECT.
        valid = kind == DISCONNECT and data is None
    if not valid:
        raise SocketPacketError("data does not fit the packet type")


class PendingPacket:
    """A binary packet whose attachments are still to come.

    Args:
        packet: What came first.
        max_bytes: Of all attachments together.
    """

    __slots__ = ("_attachments", "_bytes_left", "_packet")

    def __init__(self, packet: SocketPacket, *, max_bytes: int) -> None:
        self._packet = packet
        self._bytes_left = max_bytes
        self._attachments: list[bytes] = []

    def add(self, attachment: str | bytes) -> SocketPacket | None:
        """Take the next message; return the packet once it is whole.

        Raises:
            SocketPacketError: for text where an attachment is due, or placeholders
                that point nowhere.
            PacketTooLargeError: for one that does not fit in beside the others.
        """
        if isinstance(attachment, str):
            raise SocketPacketError("text where an attachment is due")
        self._bytes_left -= len(attachment)
        if self._bytes_left < 0:
            raise PacketTooLargeError("attachments too large")
        self._attachments.append(attachment)
        if len(self._attachments) < self._packet.attachments:
            return None
        return self.whole()

    def whole(self) -> SocketPacket:
        """Return the packet with its attachments in place."""
        data = self._filled(self._packet.data)
        _check(self._packet.kind, data)
        return self._packet._replace(data=data, attachments=0)

    def _filled(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._filled(each) for each in value]
        if not isinstance(value, dict):
            return value
        if value.get("_placeholder") is not True:
            return {name: self._filled(each) for name, each in value.items()}
        number = value.get("num")
        if type(number) is not int or not 0 <= number < len(self._attachments):
            raise SocketPacketError("placeholder without an attachment")
        return self._attachments[number]
