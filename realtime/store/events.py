"""The bytes that are published on a room's channel: made and read here alone.

Three kinds of payloads travel there, told apart by how they begin:

* An event of the room's log, ``["message",{"offset":57,"uid":"k3-_Z",...}]``. Its
  payload begins with offset and uid in this order, so that a node finds the event's
  position without decoding it. These are the bytes that a client is sent. The members
  of a message are ``offset, uid, message, room, user``, ``name`` if the sender has
  one, its content (``type, text`` ...), ``clientId, at``, in this order.
* A notice, ``["read",{...}]``: any other event. It is sent once at most and has no
  position; ``presence``, ``read`` and ``member_count`` change what a join tells.
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
MESSAGE_DELETED: Final = "message_deleted"
PIN: Final = "pin"
READ: Final = "read"
PRESENCE: Final = "presence"
MEMBER_COUNT: Final = "member_count"
RELOAD: Final = "reload"
ME_RELOAD: Final = "me_reload"

# The method of the control message by which nodes are told that somebody quit.
QUIT: Final = "quit"

# Likewise, that a room was deleted.
GONE: Final = "room_gone"

_MESSAGE_HEAD: Final = b'["message",'
_DELETED_HEAD: Final = b'["message_deleted",'
_LEFT_HEAD: Final = b'["member_left",'
_OF_NUMBER: Final = (
    rb'",\{"offset":[0-9]{1,16},"uid":"[A-Za-z0-9_-]{1,32}","message":([0-9]{1,16}),'
)
_DELETED: Final = re.compile(rb'\["message_deleted' + _OF_NUMBER)
# The events that carry words.
_WORDED: Final = re.compile(rb'\["message(?:_edited)?' + _OF_NUMBER)
_ROOM_NOTICES: Final = (b'["presence",', b'["read",', b'["member_count",')
_MESSAGE_OFFSET: Final = re.compile(rb'\{"offset":([1-9][0-9]{0,15}),')
_LOG_EVENT: Final = re.compile(
    rb'\["[a-z_]{1,32}",\{"offset":([1-9][0-9]{0,15}),"uid":"([A-Za-z0-9_-]{1,32})"'
)
_PLACE: Final = re.compile(
    rb'\["([a-z_]{1,32})",\{"offset":([1-9][0-9]{0,15}),"uid":"[A-Za-z0-9_-]{1,32}"'
    rb'(?:,"message":([1-9][0-9]{0,15})'
    rb'(?:,"room":"[A-Za-z0-9_-]{1,64}","user":("(?:[^"\\]|\\.)*"))?)?'
)
# A message that was not changed since ends so.
_STORED_AT: Final = re.compile(rb',"at":([0-9]{1,16})\}\]\Z')
_STORED_AT_BYTES: Final = len(b',"at":}]') + 16
_OWN_MARK: Final = re.compile(rb',"lastReadMessage":([0-9]{1,16})\}$')
_IMAGE_MARK: Final = b'"type":"image"'
_DATA: Final = b',"data":'
_IMAGE_URL: Final = re.compile(
    rb'"url":"(?:\\?/[\w.~-]+)*\\?/images\\?/('
    + NAME_PATTERN.encode()
    + rb')\?expires=\d+&signature=[\w-]+"'
)


class Template(NamedTuple):
    """An event without one value, which a script puts between its two parts."""

    head: bytes
    tail: bytes


class Place(NamedTuple):
    """What an event of the log begins with.

    ``message`` is the number that it is of, if it is of one; ``user`` is the author of
    that message, encoded.
    """

    name: str
    offset: int
    message: int | None
    user: bytes | None


# Messages.


def message_body(
    room: str,
    user: str,
    content: Mapping[str, object],
    client_id: str,
    *,
    name: str | None = None,
) -> bytes:
    """Return the members of a message that are known before it is stored.

    From ``room`` to ``clientId``, without braces; the script adds the others.
    """
    sender = {"room": room, "user": user}
    if name is not None:
        sender["name"] = name
    return orjson.dumps({**sender, **content, "clientId": client_id})[1:-1]


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


def stored_number(message: bytes) -> int:
    """Return the number of a message as the history keeps it, an encoded object."""
    number: int = orjson.loads(message)["message"]
    return number


def last_message(events: Sequence[bytes]) -> int:
    """Return the highest message number among events of a log, 0 if there is none."""
    for event in reversed(events):
        if event.startswith(_MESSAGE_HEAD):
            number: int = orjson.loads(event)[1]["message"]
            return number
    return 0


def messages_since(told: Sequence[bytes], number: int) -> list[bytes]:
    """Return the messages from a number on, without other events."""
    return [
        event
        for event in told
        if event.startswith(_MESSAGE_HEAD) and (worded_number(event) or 0) >= number
    ]


def mentioning(event: bytes, user: str) -> int:
    """Return the number of a message that mentions a user, 0 of any other event."""
    if not event.startswith(_MESSAGE_HEAD) or b'"mention' not in event:
        return 0
    message = orjson.loads(event)[1]
    mentioned = user in message.get("mentions", ()) or "mentionAll" in message
    number: int = message["message"]
    return number if mentioned else 0


def resign_images(encoded: bytes, address: Callable[[str], str]) -> bytes:
    """Return an encoded message or event with fresh addresses of its images.

    What is no image message comes back as it is, at the cost of one search. A text
    cannot pass for an address: in JSON its quotation marks are escaped.

    Args:
        encoded: A JSON object or event array, encoded without spaces.
        address: Returns the present address of an image, by its name.
    """
    if _IMAGE_MARK not in encoded:
        return encoded
    # What an application attached is not ours to sign, whatever it looks like.
    encoded, data, rest = encoded.partition(_DATA)

    def fresh(found: re.Match[bytes]) -> bytes:
        return b'"url":"%b"' % address(found[1].decode()).encode()

    return _IMAGE_URL.sub(fresh, encoded) + data + rest


# Changes of messages.


class EditedState(NamedTuple):
    """What an edit makes of a message's state.

    ``rev`` is that of the state as it was, -1 if there is nothing to edit. ``state``
    lacks its end, which a script writes; it is empty if nothing changes.
    """

    rev: int
    state: bytes
    words: bytes


def edited(state: bytes | None, words: Mapping[str, object]) -> EditedState:
    """Return what new words make of a message's state.

    Args:
        state: As the history keeps it; None: it does not.
        words: ``text``, and ``mentions`` where somebody is mentioned.
    """
    encoded = orjson.dumps(words)[1:-1]
    known = orjson.loads(state) if state is not None else {"type": "deleted"}
    if known["type"] == "deleted":
        return EditedState(-1, b"", encoded)
    rev = int(known.get("rev", 0))
    if all(known.get(name) == words.get(name) for name in ("text", "mentions")):
        return EditedState(rev, b"", encoded)
    for name in ("mentions", "at", "editedAt", "edits", "rev"):
        known.pop(name, None)
    return EditedState(rev, orjson.dumps({**known, **words})[:-1], encoded)


def deletion_body(user: str, reason: str | None) -> bytes:
    """Return the members of a deletion that are known before, without braces."""
    reasons = {} if reason is None else {"reason": reason}
    return orjson.dumps({"by": user, **reasons})[1:-1]


def deleted_number(event: bytes) -> int | None:
    """Return the number of the message that an event tells the end of, else None."""
    if not event.startswith(_DELETED_HEAD):
        return None
    match = _DELETED.match(event)
    return None if match is None else int(match[1])


def worded_number(event: bytes) -> int | None:
    """Return the number of the message whose words an event carries, else None."""
    match = _WORDED.match(event)
    return None if match is None else int(match[1])


def erased(event: bytes, deletion: bytes) -> bytes:
    """Return what is read of an event that carries words, once they were deleted.

    It keeps its place in the log. ``scripts/lib/substitutes.lua`` makes the same.

    Args:
        event: The ``message`` or ``message_edited``.
        deletion: The ``message_deleted`` of this message.
    """
    name, was = orjson.loads(event)
    _, told = orjson.loads(deletion)
    by = {name: told[name] for name in ("by", "reason", "at") if name in told}
    head = {name: was[name] for name in ("offset", "uid", "message", "room")}
    if name != MESSAGE:
        return orjson.dumps([MESSAGE_DELETED, head | by])
    left = {"user": was["user"], "at": was["at"], "type": "deleted", "deleted": by}
    return orjson.dumps([MESSAGE, head | left | {"rev": told["offset"]}])


def without_deleted(
    found: Sequence[bytes], later: Iterable[bytes] = ()
) -> Sequence[bytes]:
    """Return events of a log without the words that they, or later ones, delete.

    They come back as they are where none is deleted, at the cost of a look at each.
    """
    deletions = {
        number: event
        for event in (*found, *later)
        if (number := deleted_number(event)) is not None
    }
    if not deletions:
        return found
    return [
        erased(event, deletions[number])
        if (number := worded_number(event)) in deletions
        else event
        for event in found
    ]


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


def place_of(event: bytes) -> Place | None:
    """Return what an event of the log begins with, None for any other payload."""
    match = _PLACE.match(event)
    if match is None:
        return None
    name, offset, number, user = match.groups()
    return Place(
        name.decode("ascii"), int(offset), int(number) if number else None, user
    )


def put_out(event: bytes) -> str | None:
    """Return the user whom an event of the log tells the end of, else None."""
    if not event.startswith(_LEFT_HEAD):
        return None
    user: str = orjson.loads(event)[1]["user"]
    return user


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


def user_came(room: str, user: str, name: str | None = None) -> bytes:
    """Return the event of a user who came online in a room."""
    came: dict[str, object] = {"room": room, "user": user, "online": True}
    if name is not None:
        came["name"] = name
    return orjson.dumps([PRESENCE, came])


def user_left(room: str) -> Template:
    """Return the event of a user who went offline, but for the user, JSON."""
    return Template(_presence_payload(room) + b',"user":', b',"online":false}]')


def online_count(room: str) -> Template:
    """Return the event of how many are online, but for the count."""
    return Template(_presence_payload(room) + b',"onlineCount":', b"}]")


def member_count(room: str) -> Template:
    """Return the event of how many members a room has, but for the count."""
    head = orjson.dumps({"room": room})[:-1]
    return Template(b'["member_count",' + head + b',"memberCount":', b"}]")


def _presence_payload(room: str) -> bytes:
    return b'["presence",' + orjson.dumps({"room": room})[:-1]


def _read_payload(room: str, user: str) -> bytes:
    return orjson.dumps({"room": room, "user": user})[:-1] + b',"lastReadMessage":'


def reactions(room: str, message: int) -> Template:
    """Return the event of a message's reactions in a large room, but for the counts."""
    head = orjson.dumps({"room": room, "message": message})[:-1]
    return Template(b'["reactions",' + head + b',"counts":', b"}]")


# A user's own.


def begins_list_change(event: bytes) -> bool:
    """Tell whether an event of a personal log changes which rooms the user has."""
    return event.startswith((b'["room_added",', b'["room_removed",'))


def me_reload(_channel: str) -> bytes:
    """Return the event that tells a user's devices that their log lost its past."""
    return orjson.dumps([ME_RELOAD, {}])


def rooms_changed(rooms: Sequence[bytes]) -> bytes:
    """Return the event of rooms that changed, each one encoded."""
    return b'["rooms_changed",{"rooms":[' + b",".join(rooms) + b"]}]"


def room_news(
    room: str,
    *,
    last_message: int,
    at: int,
    newest: bytes | None,
    **more: object,
) -> bytes:
    """Return a room of ``rooms_changed``, encoded; ``newest`` is an encoded message."""
    news = {"room": room, "lastMessage": last_message, "at": at, **more}
    if newest:
        news["newest"] = orjson.Fragment(newest)
    return orjson.dumps(news)


def with_own_mark(news: bytes, last_read_message: int) -> bytes:
    """Return a room of ``rooms_changed`` for whom their own message moved the mark."""
    return news[:-1] + b',"lastReadMessage":%d}' % last_read_message


def own_mark(news: bytes) -> int | None:
    """Return the mark that :func:`with_own_mark` put into a room's news."""
    match = _OWN_MARK.search(news)
    return None if match is None else int(match[1])


def is_whole(news: bytes) -> bool:
    """Tell whether a room's news say all that a list shows of it."""
    return b',"memberCount":' in news


def time_of_event(event: bytes) -> int:
    """Return when an event was stored, in Unix ms; it is the last thing that it says.

    Raises:
        ValueError: It is no event of a log.
    """
    return int(event[event.rindex(b'"at":') + 5 : -2])


def stored_at(event: bytes) -> int | None:
    """Return when a new message was stored, in Unix ms; None: the event is no such."""
    if not event.startswith(_MESSAGE_HEAD):
        return None
    # Its words are not searched.
    match = _STORED_AT.search(event, max(0, len(event) - _STORED_AT_BYTES))
    return None if match is None else int(match[1])


def message_of(event: bytes) -> bytes:
    """Return the message of its event, an encoded object."""
    return event[len(_MESSAGE_HEAD) : -1]


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


def room_gone(room: str) -> bytes:
    """Return the message that tells the nodes that a room was deleted."""
    return orjson.dumps({"method": GONE, "room": keys.channel(room)})
