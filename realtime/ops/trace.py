"""``chatroom trace``: what became of a message, and who may see it.

No words of messages are told: only where they are.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import orjson

from realtime.node.opened_redis import opened_redis
from realtime.node.settings import Settings
from realtime.redis.client import RedisClient
from realtime.store import events, keys
from realtime.tasks import gather_started

Say = Callable[[str], None]

# Members whose keys are looked at in one round trip.
TOGETHER: Final = 500

# What a clientId gave, as lib/sent.lua writes it: an edit begins with its letter.
_SENT: Final = re.compile(rb"(?:([a-z]) )?(\d+) (\d+) (\S+) (\d+)")


class Place(NamedTuple):
    """Where a message was stored, and by whom; ``at`` in Unix ms."""

    user: str
    message: int
    offset: int
    uid: str
    at: int


async def trace(
    settings: Settings,
    *,
    client_id: str,
    room: str,
    user: str | None,
    to: str | None,
    as_json: bool,
    say: Say,
) -> bool:
    """Tell what became of a message.

    Args:
        settings: Of the nodes.
        client_id: What it was sent with.
        room: The room it was sent to.
        user: Who sent it; None: some member.
        to: Who did not see it; None: nobody is asked about.
        as_json: One object for all, for programs.
        say: Takes a line.

    Returns:
        Whether it was stored.

    Raises:
        StartError: Redis cannot be reached.
    """
    async with opened_redis(settings, "the message cannot be traced") as (redis, _):
        looking = _Look(redis, room)
        place = await looking.find(client_id, user)
        if place is not None:
            await looking.follow(place)
            await looking.nodes()
        if to is not None:
            await looking.receiver(to, place)
    if as_json:
        say(json.dumps({"stored": place is not None, "facts": looking.facts}, indent=1))
    else:
        for name, text in looking.facts.items():
            say(f"{name}: {text}")
    return place is not None


class _Look:
    """Looks at a room, and takes down what is there."""

    def __init__(self, redis: RedisClient, room: str) -> None:
        self._redis = redis
        self._room = room
        self.facts: dict[str, str] = {}

    async def find(self, client_id: str, user: str | None) -> Place | None:
        """Find where a clientId was stored."""
        users = [user] if user is not None else await self._senders()
        for start in range(0, len(users), TOGETHER):
            some = users[start : start + TOGETHER]
            found = await gather_started(
                *(
                    self._redis.call("GET", keys.sent(self._room, each, client_id))
                    for each in some
                )
            )
            for each, said in zip(some, found, strict=True):
                if said is not None and (match := _SENT.match(said)):
                    return self._found(each, match)
        whom = user or f"any of {len(users)} members"
        self.facts["stored"] = (
            f"no: nothing of {whom} was stored under {client_id} in room {self._room},"
            " or it is longer ago than CHATROOM_CLIENT_ID_SECONDS. The client was told"
            " why it was refused, or it never came."
        )
        return None

    async def _senders(self) -> list[str]:
        said = await self._redis.call("HKEYS", keys.members(self._room))
        return [each.decode() for each in said]

    def _found(self, user: str, match: re.Match[bytes]) -> Place:
        operation, message, offset, uid, at = match.groups()
        place = Place(user, int(message), int(offset), uid.decode(), int(at))
        act = "an edit of" if operation == b"e" else "as"
        self.facts["stored"] = (
            f"{act} message {place.message} of room {self._room} by {user}, at offset"
            f" {place.offset}, {_moment(place.at)}; published in the same step"
        )
        return place

    async def follow(self, place: Place) -> None:
        """Look where the event and the message are now."""
        entry = f"{place.offset}-0"
        events_there, state, top = await gather_started(
            self._redis.call("XRANGE", keys.log(self._room), entry, entry),
            self._redis.call("HGET", keys.messages(self._room), str(place.message)),
            self._redis.call("HGET", keys.meta(self._room), "offset"),
        )
        self.facts["log"] = _in_log(place, events_there, int(top or 0))
        self.facts["history"] = _in_history(state)

    async def nodes(self) -> None:
        """Look who attends the room, and whether their nodes live."""
        sessions = await self._redis.call("HVALS", keys.sessions(self._room))
        attending = Counter(orjson.loads(each)["node"] for each in sessions)
        leases = await self._leases()
        now = time.time() * 1000
        told = [
            f"{count} at node {node}"
            + ("" if leases.get(node, 0) > now else " (which is gone)")
            for node, count in attending.items()
        ]
        self.facts["attending now"] = ", ".join(told) or "nobody"

    async def _leases(self) -> dict[str, float]:
        said = await self._redis.call("ZRANGE", keys.NODES, 0, -1, "WITHSCORES")
        return {
            node.decode(): float(score)
            for node, score in zip(said[::2], said[1::2], strict=True)
        }

    async def receiver(self, user: str, place: Place | None) -> None:
        """Look why somebody did not see it."""
        record, mark, listed = await gather_started(
            self._redis.call("HGET", keys.members(self._room), user),
            self._redis.call("ZSCORE", keys.last_read(self._room), user),
            self._redis.call("HVALS", keys.sessions(self._room)),
        )
        name = f"to {user}"
        if record is None:
            self.facts[name] = "no member of the room: nothing of it is shown to them"
            return
        since = orjson.loads(record).get("since", 1)
        if place is not None and since > place.message:
            self.facts[name] = (
                f"a member since message {since}, and the room shows newcomers nothing"
                " older"
            )
            return
        nodes = [
            entry["node"]
            for entry in map(orjson.loads, listed)
            if entry["user"] == user
        ]
        parts = [
            f"attends with {len(nodes)} sessions, at {', '.join(sorted(set(nodes)))}"
            if nodes
            else "does not attend the room now: their client gets it with its next join"
        ]
        if mark is not None:
            parts.append(f"has read up to message {int(float(mark))}")
        self.facts[name] = "; ".join(parts)


def _in_log(place: Place, found: Sequence[Any], top: int) -> str:
    if not found:
        if top < place.offset:
            return f"lost: it ends at {top}, so Redis went back to older data"
        return "trimmed: it is older than the log reaches"
    fields = found[0][1]
    event = fields[fields.index(b"event") + 1]
    position = events.position_of(event)
    if position is None or position.uid != place.uid:
        return "lost: another event is at its place, so Redis went back to older data"
    return f"there, {top - place.offset} events before the newest one"


def _in_history(state: bytes | None) -> str:
    if state is None:
        return "left it: it is older than the history keeps"
    known = orjson.loads(state)
    if known.get("type") == "deleted":
        return f"deleted, by {known.get('deleted', {}).get('by', '?')}"
    edits = known.get("edits", 0)
    return f"there, edited {edits} times" if edits else "there, as it was sent"


def _moment(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(
        timespec="milliseconds"
    )
