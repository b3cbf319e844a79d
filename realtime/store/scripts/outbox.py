"""Rooms whose events are passed on: the rooms' logs are the outbox."""

from collections.abc import Awaitable
from typing import Any, NamedTuple

from realtime.redis.script import ScriptRunner
from realtime.store.scripts.loading import Parsed, load

OUTBOX_CLEAR = load("outbox_clear")
OUTBOX_CONFIRM = load("outbox_confirm")
OUTBOX_MARK = load("outbox_mark")
OUTBOX_READ = load("outbox_read")
OUTBOX_TAKE = load("outbox_take")


def outbox_mark(
    redis: ScriptRunner, *, outbox: str, room: str, look_ms: int
) -> Awaitable[None]:
    """Note that a room is about to be written to."""
    reply = redis.run_script(OUTBOX_MARK, (outbox,), (room, look_ms))
    return Parsed(reply, lambda _said: None)


class TakenRooms(NamedTuple):
    """Rooms that are to be looked at, and the score that they have now."""

    rooms: list[str]
    score: str


def outbox_take(
    redis: ScriptRunner, *, outbox: str, limit: int, taken_ms: int
) -> Awaitable[TakenRooms]:
    """Take rooms that are due; others leave them alone for a while."""
    reply = redis.run_script(OUTBOX_TAKE, (outbox,), (limit, taken_ms))
    return Parsed(reply, _taken)


def _taken(said: Any) -> TakenRooms:
    *rooms, score = (each.decode() for each in said)
    return TakenRooms(rooms, score)


def outbox_clear(
    redis: ScriptRunner, *, outbox: str, room: str, score: str
) -> Awaitable[bool]:
    """Forget a room that was taken, unless it was marked since."""
    reply = redis.run_script(OUTBOX_CLEAR, (outbox,), (room, score))
    return Parsed(reply, lambda said: said == 1)


class OutboxPage(NamedTuple):
    """What of a room was not passed on yet.

    ``upto`` is the offset of the last event; ``lost`` how many the log has not
    any more.
    ``reports`` are JSON objects, ``last_report`` is empty where there is none.
    """

    upto: int
    lost: int
    events: list[bytes]
    reports: list[bytes]
    last_report: str


def outbox_read(
    redis: ScriptRunner,
    *,
    log: str,
    ended: str,
    meta: str,
    messages: str,
    deleted: str,
    reports: str,
    node: str,
    claim_ms: int,
    since: int,
    limit: int,
    limit_bytes: int,
    reports_limit: int,
) -> Awaitable[OutboxPage | None]:
    """Claim a room and read it; None: it is another node's."""
    reply = redis.run_script(
        OUTBOX_READ,
        (log, ended, meta, messages, deleted, reports),
        (node, claim_ms, since, limit, limit_bytes, reports_limit),
    )
    return Parsed(reply, _page)


def _page(said: Any) -> OutboxPage | None:
    if said[0] == 0:
        return None
    _, upto, lost, events, told = said
    last_report = told[-2].decode() if told else ""
    return OutboxPage(upto, lost, events, told[1::2], last_report)


def outbox_confirm(
    redis: ScriptRunner,
    *,
    log: str,
    ended: str,
    meta: str,
    reports: str,
    node: str,
    offset: int,
    report: str,
) -> Awaitable[bool]:
    """Note how far a claimed room was passed on; return whether something is left."""
    reply = redis.run_script(
        OUTBOX_CONFIRM, (log, ended, meta, reports), (node, offset, report)
    )
    return Parsed(reply, lambda said: said == 1)
