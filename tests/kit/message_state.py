"""The state of messages, as ``docs/protocol.md`` has clients keep it: by ``rev``."""

from collections.abc import Callable
from typing import Any

State = dict[str, Any]

KEPT = ("offset", "uid", "message", "room", "user", "at")


def apply_change(messages: list[State], name: str, event: State) -> None:
    """Apply an event of the log to the message that it changes, if that is held.

    Args:
        messages: Those that are held; the changed one is replaced.
        name: The event's name.
        event: Its payload.
    """
    change = _CHANGES.get(name)
    if change is None:
        return
    for place, message in enumerate(messages):
        if message["message"] == event["message"]:
            is_newer = event["offset"] > message.get("rev", 0)
            is_deleted = message["type"] == "deleted"
            if is_newer and (not is_deleted or name == "message_deleted"):
                messages[place] = {**change(message, event), "rev": event["offset"]}
            return


def _edited(message: State, event: State) -> State:
    old = {name: value for name, value in message.items() if name != "mentions"}
    new = ("text", "mentions", "editedAt", "edits")
    return old | {name: event[name] for name in new if name in event}


def _deleted(message: State, event: State) -> State:
    by = {name: event[name] for name in ("by", "reason", "at") if name in event}
    return {n: message[n] for n in KEPT} | {"type": "deleted", "deleted": by}


def _reacted(message: State, event: State) -> State:
    counts = {**message.get("reactions", {}), event["key"]: event["count"]}
    left = {key: count for key, count in counts.items() if count}
    old = {name: value for name, value in message.items() if name != "reactions"}
    return old | ({"reactions": left} if left else {})


def apply_pin(pins: list[int], name: str, event: State) -> None:
    """Apply an event of the log to the numbers of the pinned messages."""
    if name not in ("pin", "message_deleted"):
        return
    if event["message"] in pins:
        pins.remove(event["message"])
    if event.get("on"):
        pins.append(event["message"])


_CHANGES: dict[str, Callable[[State, State], State]] = {
    "message_edited": _edited,
    "message_deleted": _deleted,
    "reaction": _reacted,
}
