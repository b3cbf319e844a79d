"""Pure: what an endpoint is told of an event, by Standard Webhooks 1.0."""

import hashlib
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import orjson

from realtime.store import events

# The events of a room's log, and what they are called outside.
_NAMES: Final = {
    "message": "message.created",
    "message_edited": "message.edited",
    "message_deleted": "message.deleted",
    "reaction": "reaction.set",
    "pin": "pin.set",
    "member_joined": "member.joined",
    "member_left": "member.left",
    "member_changed": "member.changed",
    "room_created": "room.created",
    "room_changed": "room.changed",
    "room_deleted": "room.deleted",
}

# The types that carry words, and what is told of a message without any.
WORDED: Final = frozenset({"message.created", "message.edited"})
_LEFT: Final = ("offset", "uid", "message", "room", "user", "at")


class ToldEvent(NamedTuple):
    """What is sent of an event.

    Attributes:
        type: ``message.created`` ...
        key: What tells it from all others of its room.
        at: When it was, in Unix ms.
        body: The bytes that are signed and sent.
    """

    type: str
    key: str
    at: int
    body: bytes


def of_log(event: bytes) -> ToldEvent | None:
    """Return what is told of an event of a room's log; None: nothing is."""
    name, payload = orjson.loads(event)
    kind = _NAMES.get(name)
    if kind is None:
        return None
    # As they were published, but for the address of an image: it is signed, and ends.
    data = event[len(name) + 4 : -1]
    return _told(kind, payload["uid"], payload["at"], data)


def of_report(room: str, entry: bytes) -> ToldEvent:
    """Return what is told of a member's report, as the room's moderators read it."""
    report = orjson.loads(entry)
    data = b'{"room":%b,%b' % (orjson.dumps(room), entry[1:])
    digest = hashlib.sha256(entry).hexdigest()
    return _told("report.created", digest, report["at"], data)


def without_words(body: bytes) -> bytes:
    """Return what is sent of a message whose words were deleted before it was told."""
    told = orjson.loads(body)
    left = {name: told["data"][name] for name in _LEFT if name in told["data"]}
    return orjson.dumps({**told, "data": {**left, "type": "deleted"}})


def message_of(body: bytes) -> int:
    """Return the number of the message that an event is about."""
    number: int = orjson.loads(body)["data"]["message"]
    return number


def made(kind: str, key: str, at: int, data: dict[str, Any]) -> ToldEvent:
    """Return an event that is in no log."""
    return _told(kind, key, at, orjson.dumps(data))


def event_id(hook_id: str, room: str, key: str) -> str:
    """Return what an endpoint knows an event by: the same one whenever it is told."""
    digest = hashlib.sha256(f"{hook_id} {room} {key}".encode()).hexdigest()
    return f"msg_{digest[:32]}"


def _told(kind: str, key: str, at: int, data: bytes) -> ToldEvent:
    data = events.resign_images(data, lambda name: f"/images/{name}")
    moment = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
    head = f'{{"type":"{kind}","timestamp":"{moment}","data":'.encode()
    return ToldEvent(kind, key, at, head + data + b"}")
