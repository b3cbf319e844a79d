"""Checks of who may be in a room and act in it: kicks, bans, mutes and roles."""

from collections.abc import Iterator, Sequence

from verify.checker.states import is_near
from verify.history import (
    Answered,
    FinalLog,
    History,
    Joined,
    LogEntry,
    Outcome,
    Page,
    Sent,
    Shown,
    Span,
    Violation,
    event_of,
)

# Events that only an owner or moderator makes.
OF_STAFF = frozenset(
    {"pin", "room_changed", "member_joined", "member_left", "member_changed"}
)

# Events that nobody makes who is muted; the member of each that names its maker.
WRITTEN = {"message": "user", "message_edited": "user", "reaction": "user", "pin": "by"}

# Who joined.
_Joins = list[tuple[str, Joined]]


def check_people(
    histories: Sequence[History], log: FinalLog, anew: Sequence[Span] = ()
) -> Iterator[Violation]:
    """Compare what people saw and did with who was there and might.

    Args:
        histories: Of all clients.
        log: The room at the end, with all events.
        anew: Times in which the log lost a tail, and kicks and bans with it.
    """
    rights = _Rights()
    for entry in log.entries:
        if text := rights.wrong(entry):
            yield Violation("judged", log.room, text)
        rights.take(entry)
    joins: _Joins = [
        (history.user, record)
        for history in histories
        for record in history.records
        if isinstance(record, Joined) and record.room == log.room
    ]
    for history in histories:
        for text in _seen_outside(history, log, joins, anew):
            yield Violation("put out", log.room, f"{history.client} {text}")
        for text in _seen_of_before(history, log, anew):
            yield Violation("newcomers", log.room, f"{history.client} {text}")
    for text in _joined_banned(_bans(histories, log), joins, anew):
        yield Violation("put out", log.room, text)


class _Rights:
    """Who is what in a room, by its log."""

    def __init__(self) -> None:
        self._staff: set[str] = set()
        self._muted: dict[str, int] = {}
        self._authors: dict[int, str] = {}

    def wrong(self, entry: LogEntry) -> str:
        """Say what is wrong with an event's being made by who made it."""
        actor = _actor(entry)
        is_staff = actor in self._staff
        author = self._authors.get(entry.number, actor)
        by = f"{entry.name} at offset {entry.offset} is by {actor}"
        if entry.name in WRITTEN and entry.more.get("at", 0) < self._muted.get(
            actor, 0
        ):
            return f"{by}, who is muted until {self._muted[actor]}"
        if entry.name in OF_STAFF and not is_staff:
            return f"{by}, a member"
        may_change = actor == author or (entry.name == "message_deleted" and is_staff)
        if entry.name in ("message_edited", "message_deleted") and not may_change:
            return f"{by}; the message is of {author}"
        return ""

    def take(self, entry: LogEntry) -> None:
        """Take note of what an event changes."""
        user, role = entry.more.get("user", ""), entry.more.get("role", "member")
        if entry.message:
            self._authors[entry.message] = entry.user
        elif entry.name == "room_created":
            self._staff.add(_actor(entry))
        elif entry.name in ("member_joined", "member_changed", "member_left"):
            # Whoever comes back is a new member.
            (self._staff.discard if role == "member" else self._staff.add)(user)
            self._muted[user] = entry.more.get("mutedUntil") or 0


def _actor(entry: LogEntry) -> str:
    return str(entry.user or entry.more.get(WRITTEN.get(entry.name, "by"), ""))


def _seen_outside(
    history: History, log: FinalLog, joins: _Joins, anew: Sequence[Span]
) -> Iterator[str]:
    """Say what a client was shown of the time in which its user was no member.

    A join of any client of theirs ends that, and so does being added.
    """
    own = [each for each in log.entries if each.more.get("user") == history.user]
    left = [each.offset for each in own if each.name == "member_left"]
    added = [each.offset for each in own if each.name == "member_joined"]
    back = [join for user, join in joins if user == history.user]
    for seen in history.records:
        if not isinstance(seen, Shown) or seen.room != log.room:
            continue
        put_out = max((each for each in left if each < seen.offset), default=0)
        if not put_out or any(each > put_out for each in added):
            continue
        is_back = any(put_out <= at.offset and at.asked_at <= seen.at for at in back)
        if not is_back and not is_near(anew, seen.at, seen.at):
            yield (
                f"was shown {seen.name} at offset {seen.offset}; {history.user} was put"
                f" out at offset {put_out}"
            )


def _seen_of_before(
    history: History, log: FinalLog, anew: Sequence[Span]
) -> Iterator[str]:
    """Say which words a client was shown from before its user was added."""
    seen = [each for each in log.entries if each.name == "room_changed"]
    if not any(each.more.get("history") == "joined" for each in seen):
        return
    added = [
        each
        for each in log.entries
        if each.name == "member_joined" and each.more["user"] == history.user
    ]
    # The last message before the membership that the last join was of.
    past, joined_at = 0, 0.0
    for record in history.records:
        if getattr(record, "room", "") != log.room:
            continue
        if isinstance(record, Joined):
            known = [e.more["after"] for e in added if e.offset <= record.offset]
            past, joined_at = max([past, *known]), record.at
        elif isinstance(record, Shown | Page) and not is_near(
            anew, record.at, record.at
        ):
            states = [event_of(record)] if isinstance(record, Shown) else []
            states += [LogEntry(**each) for each in getattr(record, "messages", ())]
            early = [each for each in states if each.words and each.number <= past]
            if early and (isinstance(record, Shown) or joined_at < record.asked_at):
                yield f"was shown message {early[0].number}, one of {past} before"


def _joined_banned(
    bans: Sequence[tuple[str, float, float]], joins: _Joins, anew: Sequence[Span]
) -> Iterator[str]:
    for user, since, until in bans:
        for who, join in joins:
            if who == user and since < join.asked_at and join.at < until:
                late = join.asked_at - since
                if not is_near(anew, since, join.at):
                    yield f"{user} joined {late:.3f} s after their ban was acknowledged"


def _bans(
    histories: Sequence[History], log: FinalLog
) -> list[tuple[str, float, float]]:
    """Return each user who was banned, and from when to when they certainly were.

    From the ack to the ban's length after the first attempt, or to the end that a later
    ban or unban may have set. Where one of these was cut off, it may come late.
    """
    records = [
        record
        for history in histories
        for record in history.records
        if isinstance(record, Sent | Answered) and record.room == log.room
    ]
    answers = [each for each in records if isinstance(each, Answered)]
    acked = {e.client_id: e.at for e in answers if e.outcome is Outcome.ACKED}
    cut_off = {e.client_id for e in answers if e.outcome is Outcome.UNKNOWN}
    asked = [each for each in records if isinstance(each, Sent)]
    first: dict[str, Sent] = {}
    for each in asked:
        if each.name == "unban" or "banSeconds" in each.args:
            first.setdefault(each.client_id, each)
    found = []
    for name, ban in first.items():
        user = ban.args["user"]
        others = [each for each in first.values() if each.args["user"] == user]
        others = [each for each in others if each is not ban]
        is_sure = not any(each.client_id in cut_off for each in others)
        if name in acked and ban.name != "unban" and is_sure:
            until = min(map(_end, [ban, *(e for e in others if e.at > ban.at)]))
            found.append((user, acked[name], until))
    return found


def _end(sent: Sent) -> float:
    return sent.at + float(sent.args.get("banSeconds", 0))
