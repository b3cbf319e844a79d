"""The checker on edits, deletions, reactions, kicks, bans and mutes made by hand."""

import dataclasses
from typing import Any

from verify.checker import check
from verify.history import (
    Answered,
    Began,
    FinalLog,
    History,
    Joined,
    LogEntry,
    Outcome,
    Page,
    Record,
    Sent,
    Shown,
    event_members,
    text_of,
)

ROOM = "r"

Event = tuple[str, dict[str, Any]]


def message(offset: int, user: str = "ann", **state: object) -> Event:
    name = f"c{offset}"
    payload = {"message": offset, "user": user, "clientId": name}
    return "message", {**payload, "text": text_of(name, 3), "at": offset, **state}


FIRST, SECOND = message(1), message(2, "bob")
EDIT: Event = (
    "message_edited",
    {"message": 1, "user": "ann", "text": text_of("e3", 5), "edits": 1, "at": 3},
)
EDITED = message(1, text=text_of("e3", 5), edits=1, rev=3)
BY = {"by": "ann", "reason": "d3", "at": 3}
DELETION: Event = ("message_deleted", {"message": 1, **BY})
LEFT: Event = (
    "member_left",
    {"user": "bob", "by": "ann", "reason": "kicked", "said": "k3", "at": 3},
)
CREATED: Event = ("room_created", {"by": "ann"})
DELETED: Event = (
    "message",
    {"message": 1, "user": "ann", "at": 1, "type": "deleted", "deleted": BY, "rev": 3},
)


def members(offset: int, event: Event) -> dict[str, Any]:
    name, payload = event
    return event_members(name, {"offset": offset, "uid": f"u{offset}", **payload})


def log_of(*events: Event, **more: Any) -> FinalLog:
    """Make a log of events; one before the first makes ann the room's owner."""
    entries = [LogEntry(**members(at, each)) for at, each in enumerate(events, 1)]
    owner = LogEntry(**members(0, CREATED))
    return dataclasses.replace(FinalLog(ROOM, [owner, *entries]), **more)


def shown(offset: int, event: Event, at: float = 0.0, asked_at: float = 0.0) -> Shown:
    return Shown(at, ROOM, **members(offset, event), asked_at=asked_at)


def asked(name: str, request: str, at: float, **args: object) -> list[Record]:
    """An operation that is acknowledged half a second later, at offset 3 if at any."""
    is_placed = request in ("edit", "delete")
    place = {"offset": 3, "uid": "u3"} if is_placed else {}
    ack = Answered(at + 0.5, ROOM, name, Outcome.ACKED, **place)  # type: ignore[arg-type]
    return [Sent(at, ROOM, name, request, args), ack]


def sent(*numbers: int) -> list[Record]:
    return [Sent(0.0, ROOM, f"c{number}") for number in numbers]


ANN, BOB = History("c-ann", "ann", sent(1)), History("c-bob", "bob", sent(2))


def ann(*records: Record) -> History:
    return History("c-ann", "ann", [*sent(1), *records])


def bob(*records: Record) -> History:
    return History("c-bob", "bob", [*sent(2), *records])


def rules(*histories: History, log: FinalLog, **more: Any) -> list[str]:
    return [each.rule for each in check(histories, [log], complete=False, **more)]


def page(asked_at: float, *events: tuple[int, Event]) -> Page:
    return Page(asked_at + 0.1, ROOM, asked_at, [members(*each) for each in events])


def test_whoever_asks_after_an_edit_has_it() -> None:
    """A page from before the ack may have either; one from after it the new words."""
    log = log_of(FIRST, SECOND, EDIT)
    editing = asked("e3", "edit", 1.0, message=1)
    for asked_at, event, found in (
        (1.2, FIRST, []),
        (1.2, EDITED, []),
        (2.0, EDITED, []),
        (2.0, FIRST, ["changed"]),
    ):
        looking = bob(page(asked_at, (1, event)))
        assert rules(ann(*editing), looking, log=log) == found


def test_a_state_is_what_the_log_makes_of_it() -> None:
    """Other words than those of its `rev`, or a `rev` that is no change's."""
    log = log_of(FIRST, SECOND, EDIT)
    editing = ann(*asked("e3", "edit", 1.0, message=1))
    for wrong in (
        message(1, rev=3, edits=1),
        message(1, text=text_of("e3", 5), edits=2, rev=3),
        message(1, rev=2),
    ):
        assert rules(editing, bob(page(0.5, (1, wrong))), log=log) == ["state"]


def test_an_acknowledged_edit_is_in_the_log_once() -> None:
    """Not at all; in another place than the ack says; twice; made by nobody."""
    editing = ann(*asked("e3", "edit", 1.0, message=1))
    assert rules(editing, BOB, log=log_of(FIRST, SECOND)) == ["acknowledged"]
    moved = log_of(FIRST, SECOND, message(3), EDIT)
    moved.entries[3] = dataclasses.replace(moved.entries[3], message=3)
    assert "acknowledged" in rules(editing, ann(*sent(3)), BOB, log=moved)
    again = ("message_edited", {**EDIT[1], "edits": 2})
    assert "once" in rules(editing, BOB, log=log_of(FIRST, SECOND, EDIT, again))
    assert rules(ANN, BOB, log=log_of(FIRST, SECOND, EDIT)) == ["genuine"]


def test_an_edit_is_seen_in_its_place() -> None:
    """Everybody who stayed sees it, with its words."""
    log = log_of(FIRST, SECOND, EDIT)
    editing = ann(*asked("e3", "edit", 1.0, message=1))
    start: list[Record] = [Began(0.0, ROOM, 0), shown(1, FIRST), shown(2, SECOND)]
    assert rules(editing, bob(*start, shown(3, EDIT)), log=log) == []
    other = ("message_edited", {**EDIT[1], "text": text_of("e4", 5)})
    assert rules(editing, bob(*start, shown(3, other)), log=log) == ["shown"]


def test_no_word_of_a_deleted_message_is_told_to_who_asks_later() -> None:
    """Nor is an edit of it; what was on its way before the ack may still arrive."""
    log = log_of(FIRST, SECOND, DELETION)
    deleting = ann(*asked("d3", "delete", 1.0, message=1))
    start = Began(0.0, ROOM, 0)
    for asked_at, event, found in (
        (2.0, DELETED, []),
        (1.2, FIRST, []),
        (0.0, FIRST, []),
        (2.0, FIRST, ["deleted"]),
    ):
        seen = [
            shown(1, event, 3.0, asked_at),
            shown(2, SECOND, 3.0, asked_at),
            shown(3, DELETION, 3.0, asked_at),
        ]
        assert rules(deleting, bob(start, *seen), log=log) == found
    looking = bob(page(2.0, (1, FIRST)))
    assert rules(deleting, looking, log=log) == ["deleted"]


def test_what_an_edit_said_may_be_left_out_when_the_message_was_deleted() -> None:
    """`message_deleted` stands in its place, for this message and no other."""
    later = ("message_deleted", {**DELETION[1], "reason": "d4"})
    log = log_of(FIRST, SECOND, EDIT, later)
    deleting = Answered(2.0, ROOM, "d4", Outcome.ACKED, offset=4, uid="u4")
    asking = Sent(1.8, ROOM, "d4", "delete", {"message": 1})
    acting = ann(*asked("e3", "edit", 1.0, message=1), asking, deleting)
    left = ("message", {**DELETED[1], "deleted": {**BY, "reason": "d4"}, "rev": 4})
    seen: list[Record] = [Began(0.0, ROOM, 0), shown(1, left), shown(2, SECOND)]
    assert rules(acting, bob(*seen, shown(3, later)), log=log) == []
    other = ("message_deleted", {**later[1], "message": 2})
    assert rules(acting, bob(*seen, shown(3, other)), log=log) == ["shown"]


def test_reactions_are_counted_as_they_were_made() -> None:
    """By the event and by the ack; taking back what is not there is no event."""

    def reaction(user: str, count: int, *, on: bool = True) -> Event:
        told = {"message": 1, "user": user, "key": "+1", "on": on, "count": count}
        return "reaction", {**told, "at": 3}

    good = log_of(FIRST, reaction("ann", 1), reaction("bob", 2))
    assert rules(ANN, log=good) == []
    assert rules(ANN, log=log_of(FIRST, reaction("ann", 2))) == ["state"]
    twice = log_of(FIRST, reaction("ann", 1), reaction("ann", 1))
    assert rules(ANN, log=twice) == ["state"]
    args = {"message": 1, "key": "+1", "on": True}
    for count, found in ((2, []), (3, ["changed"])):
        ack = Answered(1.5, ROOM, "x", Outcome.ACKED, ack={"count": count})
        reacting = History("c-bob", "bob", [Sent(1.0, ROOM, "x", "react", args), ack])
        assert rules(ANN, reacting, log=good) == found


def test_pins_and_the_name_are_those_of_the_last_events() -> None:
    """As the join at the end tells them; a deletion takes the pin off."""
    pin = ("pin", {"message": 1, "on": True, "by": "ann", "at": 2})
    assert rules(ANN, log=log_of(FIRST, pin, pins=[1])) == []
    assert rules(ANN, log=log_of(FIRST, pin, pins=[])) == ["state"]
    deleting = ann(*asked("d3", "delete", 1.0, message=1))
    assert rules(deleting, log=log_of(FIRST, pin, DELETION, pins=[])) == []
    named = ("room_changed", {"name": "n2", "by": "ann", "at": 2})
    renaming = ann(*asked("n2", "room_set", 1.0))
    assert rules(renaming, log=log_of(FIRST, named, title="n2")) == []
    assert rules(renaming, log=log_of(FIRST, named, title="n1")) == ["state"]


def test_who_was_put_out_is_shown_nothing_that_follows() -> None:
    """Until they have joined again, or were added; of either of their clients."""
    log = log_of(FIRST, SECOND, LEFT, message(4, message=3))
    kicking = ann(*sent(4), *asked("k3", "member_remove", 1.0, user="bob"))
    start: list[Record] = [Began(0.0, ROOM, 0), shown(1, FIRST), shown(2, SECOND)]
    start.append(shown(3, LEFT))
    after = shown(4, message(4, message=3), at=3.0)
    assert rules(kicking, bob(*start), log=log) == []
    assert rules(kicking, bob(*start, after), log=log) == ["put out"]
    back: list[Record] = [Joined(2.0, ROOM, 1.9, 3), after]
    assert rules(kicking, bob(*start, *back), log=log) == []
    early: list[Record] = [Joined(2.0, ROOM, 1.9, 2), after]
    assert rules(kicking, bob(*start, *early), log=log) == ["put out"]
    added = ("member_joined", {"user": "bob", "by": "ann", "role": "member", "at": 4})
    readded = log_of(FIRST, SECOND, LEFT, message(4, message=3), added)
    assert rules(kicking, bob(*start, after), log=readded) == []


def test_who_was_added_sees_nothing_from_before() -> None:
    """Neither a message's words nor those of an edit, where the room is set so."""
    new = {"user": "bob", "by": "ann", "role": "member", "after": 2, "at": 4}
    settings = {"name": None, "by": "ann", "at": 3}
    joins = [Joined(2.0, ROOM, 1.9, 4)]
    for kept, found in (("joined", ["newcomers"]), ("all", [])):
        setting = ("room_changed", {**settings, "history": kept})
        log = log_of(FIRST, SECOND, setting, ("member_joined", new))
        for seen in (page(3.0, (2, SECOND)), shown(2, SECOND, 3.0, 1.9)):
            assert rules(ANN, bob(*joins, seen), log=log) == found
        assert rules(ANN, bob(page(1.0, (2, SECOND)), *joins), log=log) == []


def test_who_is_banned_does_not_join() -> None:
    """From the ack on, for as long as it was said, or to an attempt to end it."""
    log = log_of(FIRST, SECOND, LEFT)
    banning = asked("k3", "member_remove", 1.0, user="bob", banSeconds=3)
    for asked_at, found in ((1.2, []), (2.0, ["put out"]), (4.5, [])):
        back = bob(Joined(asked_at + 0.1, ROOM, asked_at, 3))
        assert rules(ann(*banning), back, log=log) == found
    ending = asked("un", "unban", 1.8, user="bob")
    back = bob(Joined(2.1, ROOM, 2.0, 3))
    assert rules(ann(*banning, *ending), back, log=log) == []
    shorter = [Sent(1.6, ROOM, "k4", "member_remove", {"user": "bob", "banSeconds": 0})]
    assert rules(ann(*banning, *shorter), back, log=log) == []


def test_only_those_act_who_may() -> None:
    """By role, by authorship, and while nobody has muted them."""
    by_bob = [
        ("pin", {"message": 1, "on": True, "by": "bob", "at": 3}),
        ("member_left", {"user": "ann", "by": "bob", "at": 3}),
        ("message_edited", {**EDIT[1], "user": "bob"}),
        ("message_deleted", {"message": 1, "by": "bob", "at": 3}),
    ]
    for event in by_bob:
        assert "judged" in rules(ANN, BOB, log=log_of(FIRST, SECOND, event))

    def muted(until: int | None) -> Event:
        told = {"user": "bob", "by": "ann", "role": "member", "at": 2}
        return "member_changed", {**told, "mutedUntil": until}

    third = message(3, "bob", message=2)
    writing = History("c-bob", "bob", sent(3))
    for until, found in ((9, ["judged"]), (3, []), (None, [])):
        assert rules(ANN, writing, log=log_of(FIRST, muted(until), third)) == found
    left = ("member_left", {**LEFT[1], "said": None})
    fourth = message(4, "bob", message=2)
    anew = log_of(FIRST, muted(9), left, fourth)
    assert rules(ANN, History("c-bob", "bob", sent(4)), log=anew) == []
