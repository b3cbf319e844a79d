"""The bytes that are published on a room's channel: made and read here alone.

Three kinds of payloads travel there, told apart by how they begin:

* An event of the room's log, ``["message",{"offset":57,"uid":"k3-_Z",...}]``. Its
  payload begins with offset and uid in this order, so that a node finds the event's
  position without decoding it. These are the bytes that a client is sent. The members
  of a message are ``offset, uid, message, room, user``, its content (``type, text``
  ...), ``clientId, at``, in this order.
* A notice, ``["read",{...}]``: any other event. It is sent once at most and has no
  position; ``presence`` and ``read`` change what a join tells of the room.
* A control message, ``{"method":...}``: for the nodes, never for a client.

``scripts/message_log_append.lua`` is the other half: it alone knows an event's offset
and writes it around :func:`message_body`. ``tests/store/test_events.py`` holds the two
together, byte for byte.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from realtime import json_codec
from realtime.images.signed_urls import NAME_PATTERN
from realtime.store import keys
from realtime.store.position import Position

MESSAGE: Final = "message"
READ: Final = "read"
PRESENCE: Final = "presence"
RELOAD: Final = "reload"

# The method of the control message by which nodes are told that somebody quit.
QUIT: Final = "quit"

_MESSAGE_HEAD: Final = b'["message",'
_ROOM_NOTICES: Final = (b'["presence",', b'["read",')
_MESSAGE_OFFSET: Final = re.compile(rb'\{"offset":([1-9][0-9]{0,15}),')
_LOG_EVENT: Final = re.compile(
    rb'\["[a-z_]{1,32}",\{"offset":([1-9][0-9]{0,15}),"uid":"([A-Za-z0-9_-]{1,32})"'
)
_MESSAGE_NUMBER: Final = re.compile(
    rb'\["[a-z_]{1,32}",\{"offset":[0-9]{1,16},"uid":"[A-Za-z0-9_-]{1,32}",'
    rb'"message":([0-9]{1,16}),'
)
# Stands for the number of what is about no message.
ABOVE_ALL: Final = 2**53
_IMAGE_MARK: Final = b'"type":"image"'
_IMAGE_URL: Final = re.compile(
    rb'"url":"(?:\\?/[\w.~-]+)*\\?/images\\?/('
    + NAME_PATTERN.encode()
    + rb')\?expires=\d+&signature=[\w-]+"'
)


class Template(NamedTuple):
    """An event without one value, which a script puts between its two parts."""

    head: bytes
    tail: bytes


# Messages.


def message_body(
    room: str, user: str, content: Mapping[str, object], client_id: str
) -> bytes:
    """Return the members of a message that are known before it is stored.

    From ``room`` to ``clientId``, without braces; the script adds the others.
    """
    return orjson.dumps({"room": room, "user": user, **content, "clientId": client_id})[
        1:-1
    ]


def message_event(message: bytes) -> bytes:
    """Return the event of a message that the history keeps, an encoded object."""
    return _MESSAGE_HEAD + message + b"]"


def offset_of_message(message: bytes) -> int:
    """Return the offset of a message as the history keeps it, an encoded object.

    Raises:
        ValueError: It is no message: the key was written by something else.
    """
    match = _MESSAGE_OFFSET.match(message)
    if match is None:
        raise ValueError("the room's history holds an entry that is no message")
    return int(match[1])


def last_message(events: Sequence[bytes]) -> int:
    """Return the highest message number among events of a log, 0 if there is none."""
    for event in reversed(events):
        if event.startswith(_MESSAGE_HEAD):
            number: int = orjson.loads(event)[1]["message"]
            return number
    return 0


def since(told: Sequence[bytes], message: int) -> list[bytes]:
    """Return the events without those of messages below a number."""
    return [event for event in told if _number_of(event) >= message]


def _number_of(event: bytes) -> int:
    """Return the number of the message that an event is about."""
    match = _MESSAGE_NUMBER.match(event)
    return int(match[1]) if match else ABOVE_ALL


def resign_images(encoded: bytes, address: Callable[[str], str]) -> bytes:
    """Return an encoded message or event with fresh addresses of its image.

    What is no image message comes back as it is, at the cost of one search. A text
    cannot pass for an address: in JSON its quotation marks are escaped.

    Args:
        encoded: A JSON object or event array, encoded without spaces.
        address: Returns the present address of an image, by its name.
    """
    if _IMAGE_MARK not in encoded:
        return encoded

    def fresh(found: re.Match[bytes]) -> bytes:
        return b'"url":"%b"' % address(found[1].decode()).encode()

    return _IMAGE_URL.sub(fresh, encoded)


# All events.


def position_of(event: bytes) -> Position | None:
    """Return the position of an event of the log, None for any other payload."""
    match = _LOG_EVENT.match(event)
    if match is None:
        return None
    return Position(int(match[1]), match[2].decode("ascii"))


def as_log_event(event: bytes) -> tuple[Position, bytes]:
    """Return an event read from the log with its position.

    Raises:
        ValueError: The entry is not an event of a log: the key was written by
            something else.
    """
    position = position_of(event)
    if position is None:
        raise ValueError("the room's log holds an entry that is no event")
    return position, event


def is_event(payload: bytes) -> bool:
    """Tell whether a payload is an event array; anything may be published."""
    try:
        found = json_codec.loads(payload)
    except ValueError:
        return False
    return isinstance(found, list) and bool(found) and isinstance(found[0], str)


def is_control(payload: bytes) -> bool:
    """Tell whether a payload is a control message, or nothing that is known."""
    return payload[:1] == b"{"


def is_room_notice(event: bytes) -> bool:
    """Tell whether a notice changes what a join tells of the room."""
    return event.startswith(_ROOM_NOTICES)


def decode(events: Iterable[bytes]) -> Iterable[tuple[str, dict[str, Any]]]:
    """Yield the name and the payload of each event."""
    for event in events:
        name, payload, *_ = orjson.loads(event)
        yield name, payload


# Notices.


def reload(room: str) -> bytes:
    """Return the event that tells clients that the room's log lost its past."""
    return orjson.dumps([RELOAD, {"room": room}])


def read(room: str, user: str) -> Template:
    """Return the event of a read mark, but for the mark."""
    return Template(b'["read",' + _read_payload(room, user), b"}]")


def user_came(room: str, user: str) -> bytes:
    """Return the event of a user who came online in a room."""
    return orjson.dumps([PRESENCE, {"room": room, "user": user, "online": True}])


def user_left(room: str) -> Template:
    """Return the event of a user who went offline, but for the user, JSON."""
    return Template(_presence_payload(room) + b',"user":', b',"online":false}]')


def online_count(room: str) -> Template:
    """Return the event of how many are online, but for the count."""
    return Template(_presence_payload(room) + b',"onlineCount":', b"}]")


def _presence_payload(room: str) -> bytes:
    return b'["presence",' + orjson.dumps({"room": room})[:-1]


def _read_payload(room: str, user: str) -> bytes:
    return orjson.dumps({"room": room, "user": user})[:-1] + b',"lastReadMessage":'


# Control messages.


def own_read(room: str, user: str, namespace: str) -> Template:
    """Return the message that has a user's own sessions told of a mark, but for it."""
    emit = {
        "method": "emit",
        "event": READ,
        "namespace": namespace,
        "room": keys.user_sessions_room(user),
    }
    head = orjson.dumps(emit)[:-1] + b',"data":[' + _read_payload(room, user)
    return Template(head, b"}]}")


def quit_message(room: str, user: str) -> bytes:
    """Return the message that tells the nodes that a user quit a room."""
    return orjson.dumps({"method": QUIT, "room": keys.channel(room), "user": user})
