"""Where a page goes on: ``Link`` with ``rel="next"``, RFC 8288."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import orjson


class _Next(NamedTuple):
    """How the next page is asked for: by a field of the last entry of this one."""

    entries: str
    field: str
    asked_by: str


# By requests. Where an answer has `next`, that is what it goes on after; history goes
# on where it was read backwards, or around a message, before its first entry.
_NEXT: Final[Mapping[str, _Next]] = {
    "chats": _Next("rooms", "room", "after"),
    "history": _Next("messages", "message", "before"),
    "media": _Next("messages", "message", "before"),
    "members": _Next("members", "user", "after"),
    "reports": _Next("reports", "id", "before"),
    "audit": _Next("acts", "id", "before"),
    "rooms": _Next("rooms", "room", "after"),
    "user_rooms": _Next("rooms", "room", "after"),
    "hook_dead": _Next("events", "id", "after"),
}
# What says where a page begins.
_PLACES: Final = frozenset({"before", "after", "around", "at", "cursor"})
# The order of a list that has a cursor of its own.
_ORDERED: Final = frozenset({"sort", "cursor", "filter"})


def is_page(request: str) -> bool:
    """Return whether a request's answer is a page."""
    return request in _NEXT


def next_link(
    request: str, query: Mapping[str, str], answer: Mapping[str, Any]
) -> str | None:
    """Return the ``Link`` to the next page; None: there is none.

    It is relative to what was asked: a proxy may have another path for it.

    Args:
        request: Whose answer it is.
        query: What was asked with.
        answer: As it is encoded; its entries may be encoded already.
    """
    if request not in _NEXT or not answer["more"]:
        return None
    place = _place(request, query, answer)
    if place is not None:
        kept = {name: said for name, said in query.items() if name not in _PLACES}
        query = {**kept, **place}
    return f'<?{urlencode(query)}>; rel="next"'


def _place(
    request: str, query: Mapping[str, str], answer: Mapping[str, Any]
) -> dict[str, str] | None:
    """Return where the next page begins; None: the same request leads on."""
    entries, field, asked_by = _NEXT[request]
    if "next" in answer:
        by = "cursor" if query.keys() & _ORDERED else asked_by
        return {by: answer["next"]}
    listed = answer[entries]
    if not listed:
        return None
    last = listed[-1]
    if request == "history":
        if "after" in query:
            asked_by = "after"
        else:
            last = listed[0]
    return {asked_by: str(orjson.loads(orjson.dumps(last))[field])}
