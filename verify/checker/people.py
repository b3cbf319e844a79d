"""Checks of who may be in a room and act in it: kicks, bans, mutes and roles."""

from collections.abc import Iterator, Sequence

from verify.checker.states import is_near
from verify.history import (
    Answered,
    FinalLog,
    History,
    Joined,
    Outcome,
    Sent,
    Shown,
    Span,
    Violation,
)

# Events that only an owner or moderator makes.
OF_STAFF = frozenset(
    {"pin", "room_changed", "member_joined", "member_left", "member_changed"}
)

# Events of what a muted member may not do, with the member of the event that names them.
WRITTEN = {"message": "user", "message_edited": "user", "reaction": "user", "pin": "by"}


def check_people(
    histories: Sequence[History], log: FinalLog, anew: Sequence[Span] = ()
) -> Iterator[Violation]:
    """Compare what people saw and did with who was there and might.

    Args:
        histories: Of all clients.
        log: The room at the end, with all events.
        anew: Times in which the log lost a tail, and kicks and bans with it.
    """
    for text in _judged(log):
        yield Violation("judged", log.room, text)
    joins = {
        (history.user, record)
        for history in histories
        for record in history.records
        if isinstance(record, Joined) and record.room == log.room
    }
    for history in histories:
        for text in _seen_outside(history, log, joins, anew):
            yield Violation("put out", log.room, f"{history.client} {text}")
    for user, since, until in _bans(histories, log, anew):
        for who, join in joins:
            if who == user and since < join.asked_at and join.at < until:
                late = join.asked_at - since
                text = f"{user} joined {late:.3f} s after their ban was acknowledged"
                yield Violation("put out", log.room, text)


def _judged(log: FinalLog) -> Iterator[str]:
    """Follow roles and mutes through the log, and say who went beyond them."""
    roles: dict[str, str] = {}
    muted: dict[str, int] = {}
    authors: dict[int, str] = {}
    for entry in log.entries:
        more = entry.more
        actor = str(entry.user or more.get(WRITTEN.get(entry.name, "by"), ""))
        what = f"{entry.name} at offset {entry.offset} is by {actor}"
        is_staff = roles.get(actor, "member") != "member"
        author = authors.get(more.get("message", 0), actor)
        if entry.name == "room_created":
            roles[actor] = "owner"
        elif entry.name in OF_STAFF and not is_staff:
            yield f"{what}, a member"
        elif entry.name == "message_edited" and actor != author:
            yield f"{what}; the message is of {author}"
        elif entry.name == "message_deleted" and actor != author and not is_staff:
            yield f"{what}, a member; the message is of {author}"
        if entry.name in WRITTEN and more.get("at", 0) < muted.get(actor, 0):
            yield f"{what}, who is muted until {muted[actor]}"
        if entry.message:
            authors[entry.message] = entry.user
        elif entry.name == "member_joined":
            roles[more["user"]] = more["role"]
        elif entry.name == "member_changed":
            roles[more["user"]] = more["role"]
            muted[more["user"]] = more["mutedUntil"] or 0
        elif entry.name == "member_left":
            # Whoever comes back is a new member.
            muted.pop(more["user"], None)
            roles.pop(more["user"], None)


def _seen_outside(
    history: History,
    log: FinalLog,
    joins: set[tuple[str, Joined]],
    anew: Sequence[Span],
) -> Iterator[str]:
    """Say what a client was shown of the time in which its user was no member.

    A join of any client of theirs ends that, and so does being added.
    """
    own = [each for each in log.entries if each.more.get("user") == history.user]
    left = [each.offset for each in own if each.name == "member_left"]
    added = [each.offset for each in own if each.name == "member_joined"]
    for record in history.records:
        if not isinstance(record, Shown) or record.room != log.room:
            continue
        put_out = max((each for each in left if each < record.offset), default=0)
        if not put_out or any(each > put_out for each in added):
            continue
        is_back = any(
            who == history.user
            and put_out <= join.offset
            and join.asked_at <= record.at
            for who, join in joins
        )
        if not is_back and not is_near(anew, record.at, record.at):
            yield (
                f"was shown {record.name} at offset {record.offset}; {history.user} was"
                f" put out at offset {put_out}"
            )


def _bans(
    histories: Sequence[History], log: FinalLog, anew: Sequence[Span]
) -> Iterator[tuple[str, float, float]]:
    """Yield each user who was banned, with times between which they certainly were.

    From the ack to the ban's length after the first attempt, or to the first attempt to
    end it. Where the answer of an earlier such attempt was cut off, it may come late.
    """
    sent: list[Sent] = []
    cut_off: set[str] = set()
    acked: dict[str, float] = {}
    for history in histories:
        for record in history.records:
            if isinstance(record, Sent) and record.room == log.room:
                sent += [record] if record.name in ("member_remove", "unban") else []
            elif isinstance(record, Answered) and record.room == log.room:
                if record.outcome is Outcome.ACKED:
                    acked[record.client_id] = record.at
                elif record.outcome is Outcome.UNKNOWN:
                    cut_off.add(record.client_id)
    ends = [each for each in sent if each.name == "unban"]
    first: dict[str, Sent] = {}
    for each in sorted(sent, key=lambda each: each.at):
        first.setdefault(each.client_id, each)
    for name, ban in first.items():
        if "banSeconds" not in ban.args or name not in acked:
            continue
        user, since = ban.args["user"], acked[name]
        own = [each for each in ends if each.args["user"] == user]
        until = min(
            [ban.at + ban.args["banSeconds"], *(e.at for e in own if e.at > ban.at)]
        )
        may_end = any(each.client_id in cut_off for each in own)
        if not may_end and not is_near(anew, ban.at, until):
            yield user, since, until
