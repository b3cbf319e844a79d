"""The checker on histories made by hand: it finds what is wrong, and only that."""

import dataclasses
from typing import Any

import pytest

from verify.checker import check
from verify.history import (
    Answered,
    Began,
    FinalLog,
    History,
    LogEntry,
    Outcome,
    Read,
    Record,
    Sent,
    Shown,
    Told,
    Up,
    from_line,
    to_line,
)

ROOM = "r"


def entry(number: int, *, uid: str = "", client_id: str = "") -> LogEntry:
    name = client_id or f"c{number}"
    return LogEntry(number, uid or f"u{number}", number, "ann", name, words=name)


def log_of(*entries: LogEntry, **members: object) -> FinalLog:
    return dataclasses.replace(FinalLog(ROOM, list(entries)), **members)  # type: ignore[arg-type]


def shown(number: int, *, at: float = 0.0, uid: str = "") -> Shown:
    name, uid = f"c{number}", uid or f"u{number}"
    return Shown(at, ROOM, number, uid, number, "ann", name, words=name)


def sent(number: int, at: float) -> Sent:
    return Sent(at, ROOM, f"c{number}")


def acked(number: int, at: float, **members: object) -> Answered:
    ack = Answered(
        at,
        ROOM,
        f"c{number}",
        Outcome.ACKED,
        message=number,
        offset=number,
        uid=f"u{number}",
    )
    return dataclasses.replace(ack, **members)  # type: ignore[arg-type]


def answered(number: int, at: float, outcome: Outcome, code: str) -> Answered:
    return Answered(at, ROOM, f"c{number}", outcome, code)


def sender(count: int) -> History:
    """A client that sent ``count`` messages, one after the other, and saw them all."""
    records: list[Record] = [Began(0.0, ROOM, 0)]
    for number in range(1, count + 1):
        records += [
            sent(number, number),
            shown(number, at=number + 0.2),
            acked(number, number + 0.3),
        ]
    return History("c-ann", "ann", records)


def viewer(*records: Record) -> History:
    return History("c-bob", "bob", [Began(0.0, ROOM, 0), *records])


def rules(*histories: History, log: FinalLog, **options: Any) -> list[str]:
    return [found.rule for found in check(histories, [log], **options)]


THREE = [entry(1), entry(2), entry(3)]


def test_a_good_run_has_no_violation() -> None:
    """Sent, acknowledged, stored and shown to everybody: nothing to say."""
    bob = viewer(shown(1), shown(2), shown(3))
    assert check([sender(3), bob], [log_of(*THREE)]) == []


def test_an_acknowledged_message_must_be_in_the_log() -> None:
    """Lost, or under another number or uid than the ack said."""
    only_bob = viewer(shown(1), shown(2))
    lost = rules(sender(3), only_bob, log=log_of(*THREE[:2]))
    assert "acknowledged" in lost
    moved = log_of(entry(1), entry(2), entry(3, uid="other"))
    assert "acknowledged" in rules(sender(3), log=moved)


def test_what_the_history_keeps_no_longer_is_not_lost() -> None:
    """Numbers below the oldest that is kept are not looked for."""
    kept = log_of(entry(3), first_kept=3)
    ann = sender(3)
    ann.records = [each for each in ann.records if not isinstance(each, Shown)]
    ann.records[0] = Began(0.0, ROOM, 2)
    assert rules(ann, log=kept, complete=False) == []


def test_numbers_must_be_contiguous() -> None:
    """A hole in the log's numbers is a violation, whoever saw what."""
    assert "contiguous" in rules(log=log_of(entry(1), entry(3)))


def test_one_client_id_is_one_message() -> None:
    """The same clientId of the same user under two numbers."""
    doubled = log_of(entry(1), entry(2, client_id="c1"))
    ann = History("c-ann", "ann", [sent(1, 1.0), acked(1, 1.1)])
    assert "once" in rules(ann, log=doubled)


def test_what_nobody_sent_is_not_in_the_log() -> None:
    """A message without a sender."""
    assert rules(log=log_of(entry(1))) == ["genuine"]


def test_a_refused_message_must_not_be_stored() -> None:
    """Each attempt refused, yet it is there; or a retry turns out a duplicate."""
    no = answered(1, 1.1, Outcome.REFUSED, "unavailable")
    ann = History("c-ann", "ann", [sent(1, 1.0), no])
    assert rules(ann, log=log_of(entry(1))) == ["refused"]
    ann.records += [sent(1, 1.2), acked(1, 1.3, duplicate=True)]
    assert rules(ann, log=log_of(entry(1))) == ["refused"]


def test_an_unknown_outcome_may_be_stored_or_not() -> None:
    """``unknown`` and silence promise nothing but not to double."""
    lost_ack = answered(1, 1.1, Outcome.UNKNOWN, "timeout")
    ann = History("c-ann", "ann", [sent(1, 1.0), lost_ack])
    assert rules(ann, log=log_of(entry(1))) == []
    assert rules(ann, log=log_of()) == []
    ann.records += [sent(1, 1.2), acked(1, 1.3, duplicate=True)]
    assert rules(ann, log=log_of(entry(1))) == []


def test_an_attempt_under_way_may_be_stored() -> None:
    """A client killed in mid-send has no answer at all."""
    refused = answered(1, 1.1, Outcome.REFUSED, "unavailable")
    ann = History("c-ann", "ann", [sent(1, 1.0), refused, sent(1, 1.2)])
    assert rules(ann, log=log_of(entry(1))) == []


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ([shown(1), shown(3)], "1 before it are missing"),
        ([shown(1), shown(2), shown(2), shown(3)], "twice"),
        ([shown(1), shown(3), shown(2)], "1 before it are missing"),
        ([shown(1), shown(2, uid="x"), shown(3)], "not in the log"),
        ([shown(1), shown(2)], "never saw message 3"),
        ([shown(1), shown(2), shown(3), shown(4)], "not in the log"),
        ([], "never saw message 1"),
    ],
)
def test_what_is_shown_must_be_the_log(seen: list[Shown], said: str) -> None:
    """Holes, doubles, disorder, other events and a missing end are told apart."""
    violations = check([sender(3), viewer(*seen)], [log_of(*THREE)])
    assert [found.rule for found in violations] == ["shown"]
    assert said in violations[0].text


def test_a_newcomer_begins_with_the_newest_page() -> None:
    """A page of messages up to the cursor, then what comes after the cursor."""
    bob = History("c-bob", "bob", [Began(0.0, ROOM, 2), shown(1), shown(2), shown(3)])
    assert rules(sender(3), bob, log=log_of(*THREE)) == []
    bob.records.remove(shown(2))
    assert rules(sender(3), bob, log=log_of(*THREE)) == ["shown"]


def test_other_events_of_the_log_are_shown_as_well() -> None:
    """An edit has an offset and no number; the page holds messages only."""
    act: dict[str, Any] = {"name": "said", "more": {"by": "ann"}}
    other = LogEntry(3, "u3", 0, "", "", **act)
    last = LogEntry(4, "u4", 3, "ann", "c3", words="c3")
    log = log_of(entry(1), entry(2), other, last)
    ann = History(
        "c-ann",
        "ann",
        [
            *(each for number in (1, 2) for each in (sent(number, number),)),
            sent(3, 3.0),
        ],
    )
    seen = (
        Shown(0.0, ROOM, 3, "u3", 0, "", "", **act),
        Shown(0.0, ROOM, 4, "u4", 3, "ann", "c3", words="c3"),
    )
    assert rules(ann, viewer(shown(1), shown(2), *seen), log=log) == []
    assert rules(ann, viewer(shown(1), shown(2), seen[1]), log=log) == ["shown"]
    paged = History("c", "cat", [Began(0.0, ROOM, 3), shown(1), shown(2), seen[1]])
    assert rules(ann, paged, log=log) == []


def test_beginning_anew_needs_a_log_that_lost_its_tail() -> None:
    """``recovered: false`` and ``reload`` are violations unless a tail was lost."""
    refused = Began(1.0, ROOM, 3, refused_cursor="2:u2")
    page = [shown(1), shown(2), shown(3)]
    bob = viewer(shown(1), shown(2), refused, *page)
    assert rules(sender(3), bob, log=log_of(*THREE)) == ["continuity"]
    told = viewer(shown(1), Began(1.0, ROOM, 3, reload=True), *page)
    assert rules(sender(3), told, log=log_of(*THREE)) == ["continuity"]
    diverged = viewer(shown(1), shown(2, uid="x"), refused, *page)
    assert rules(sender(3), diverged, log=log_of(*THREE), lost=[(0.5, 0.9)]) == []


def test_only_a_lost_tail_excuses_a_lost_message() -> None:
    """What was acknowledged before the tail must be there all the same."""
    ann = History("c-ann", "ann", [sent(1, 1.0), acked(1, 1.1)])
    assert rules(ann, log=log_of(), lost=[(1.05, 2.0)]) == []
    assert rules(ann, log=log_of(), lost=[(1.2, 2.0)]) == ["acknowledged"]


def test_a_lost_tail_excuses_lower_marks() -> None:
    """Marks are not in the log, so that nobody could be told."""
    marks: list[Record] = [Read(1.0, ROOM, "cat", 2), Read(2.0, ROOM, "cat", 1)]
    bob = History("c-bob", "bob", marks)
    assert rules(bob, log=log_of(), lost=[(0.0, 1.0)]) == []
    assert rules(bob, log=log_of(), replaced=[(2.5, 3.0)]) == []
    assert rules(bob, log=log_of()) == ["reads"]


def test_only_marks_of_the_lost_tail_may_be_lower() -> None:
    """A mark that was told long before it, or after it, must stand."""
    marks: list[Record] = [Read(1.0, ROOM, "cat", 2), Read(9.0, ROOM, "cat", 1)]
    bob = History("c-bob", "bob", marks)
    for span in ((8.0, 8.5), (0.1, 0.9)):
        assert rules(bob, log=log_of(), lost=[span]) == ["reads"]
        low = log_of(reads={"cat": 1})
        late = History("c-bob", "bob", marks[:1])
        assert rules(late, log=low, lost=[span]) == ["reads"]


def test_a_client_may_hear_of_lost_marks_until_it_is_told_to_begin_anew() -> None:
    """The node finds the loss a moment after it; from then on marks only rise."""
    old, new = Read(1.0, ROOM, "cat", 2), Read(1.2, ROOM, "cat", 1)
    runs: list[tuple[list[Record], list[str]]] = [
        ([old, Began(1.1, ROOM, 0, reload=True), new], []),
        ([Began(0.95, ROOM, 0, reload=True), old, new], ["reads"]),
        ([old, new], ["reads"]),
    ]
    for records, found in runs:
        bob = History("c-bob", "bob", records)
        assert rules(bob, log=log_of(), lost=[(0.1, 0.9)]) == found


def test_acknowledged_first_comes_first() -> None:
    """Message 2 was acknowledged before message 1 was sent at all."""
    ann = History("c-ann", "ann", [sent(2, 1.0), acked(2, 1.1)])
    also = History("c-too", "ann", [sent(1, 2.0), acked(1, 2.1)])
    assert rules(ann, also, log=log_of(entry(1), entry(2))) == ["real time"]


def test_at_the_same_time_any_order_is_right() -> None:
    """The second began before the first was acknowledged."""
    ann = History("c-ann", "ann", [sent(2, 1.0), acked(2, 2.1)])
    also = History("c-too", "ann", [sent(1, 2.0), acked(1, 2.1)])
    assert rules(ann, also, log=log_of(entry(1), entry(2))) == []


def test_what_one_connection_sends_in_a_row_keeps_its_order() -> None:
    """Sent one after the other without waiting; stored the other way round."""
    both: list[Record] = [sent(2, 1.0), sent(1, 1.1), acked(1, 2.0), acked(2, 2.1)]
    log = log_of(entry(1), entry(2))
    assert rules(History("c-ann", "ann", both), log=log) == ["sent order"]


UNKNOWN, REFUSED = Outcome.UNKNOWN, Outcome.REFUSED


@pytest.mark.parametrize(
    "records",
    [
        pytest.param(
            [sent(2, 1.0), Up(1.1, "n"), sent(1, 1.2), acked(1, 2.0), acked(2, 2.1)],
            id="over another connection",
        ),
        pytest.param(
            [
                *(sent(2, 1.0), sent(1, 1.1)),
                *(answered(2, 1.2, REFUSED, "unavailable"), acked(1, 1.3)),
                *(sent(2, 1.4), acked(2, 1.5)),
            ],
            id="refused, and sent again",
        ),
        pytest.param(
            [
                *(sent(1, 1.0), answered(1, 1.1, UNKNOWN, "unknown")),
                *(sent(2, 1.2), sent(1, 1.3)),
                *(acked(2, 1.4), acked(1, 1.5, duplicate=True)),
            ],
            id="stored before",
        ),
    ],
)
def test_only_what_one_connection_stored_has_an_order(records: list[Record]) -> None:
    """What was refused takes its place when it is sent again."""
    log = log_of(entry(1), entry(2))
    assert rules(History("c-ann", "ann", records), log=log) == []


def test_read_marks_never_go_back() -> None:
    """As one client is told of them, and as the server holds them in the end."""
    marks = [Read(1.0, ROOM, "cat", 2), Read(2.0, ROOM, "cat", 1)]
    seen = [shown(1), shown(2), shown(3)]
    bob = viewer(*seen, *marks)
    assert rules(sender(3), bob, log=log_of(*THREE)) == ["reads"]
    bob = viewer(*seen, *reversed(marks))
    assert rules(sender(3), bob, log=log_of(*THREE)) == []
    low = log_of(*THREE, reads={"cat": 1})
    assert rules(sender(3), bob, log=low) == ["reads"]


def test_without_the_log_itself_messages_are_compared() -> None:
    """Read through ``history``, offsets may jump: there were edits in between."""
    messages = [entry(1), LogEntry(3, "u3", 2, "ann", "c3", words="c3")]
    log = log_of(*messages, messages_only=True)
    ann = History("c-ann", "ann", [sent(1, 1.0), sent(3, 3.0)])
    seen = Shown(0.0, ROOM, 3, "u3", 2, "ann", "c3", words="c3")
    edit = Shown(0.0, ROOM, 2, "u2", 0, "", "")
    assert rules(ann, viewer(shown(1), edit, seen), log=log) == []
    assert rules(ann, viewer(shown(1), edit), log=log) == ["shown"]


def test_the_application_is_told_of_every_message_in_its_order() -> None:
    """Again is fine, and what a lost tail had; a hole and a step back are not."""
    log = log_of(entry(1), entry(2), entry(3))

    def told(*offsets: int, uid: str = "") -> list[Told]:
        return [Told(log.room, each, uid or entry(each).uid, each) for each in offsets]

    history = sender(3)
    for wrong, seen in (
        ([], told(1, 2, 1, 2, 3, 2)),
        ([], [*told(1), *told(2, uid="lost"), *told(2, 3)]),
        (["told"], told(1, 3)),
        (["told order"], told(1, 3, 2)),
        (["told"], [*told(1, 2), *told(3, uid="lost")]),
    ):
        assert rules(history, log=log, told=seen) == wrong


def test_histories_survive_being_written_down() -> None:
    """A line of JSON for each record, the same for every kind of recorder."""
    records: list[Record] = [
        Up(1.5, "http://a"),
        Began(2.0, ROOM, 3, refused_cursor="2:x"),
        shown(4),
        acked(1, 2.0, duplicate=True),
        Read(3.0, ROOM, "cat", 2),
    ]
    assert [from_line(to_line(each)) for each in records] == records
    with pytest.raises(ValueError, match="no kind"):
        from_line(b'{"kind": "rumour"}')


GONE = [(0.5, 0.9)]


def test_who_shows_what_was_lost_must_be_told_before_going_on() -> None:
    """Message 2 was lost with its uid; what follows it belongs to another past."""
    again = Began(1.0, ROOM, 3, reload=True)
    page = [shown(1), shown(2), shown(3)]
    told = viewer(shown(1), shown(2, uid="x"), again, *page)
    assert rules(sender(3), told, log=log_of(*THREE), replaced=GONE) == []
    silent = viewer(shown(1), shown(2, uid="x"), shown(3), again, *page)
    assert rules(sender(3), silent, log=log_of(*THREE), replaced=GONE) == ["shown"]
    holed = viewer(shown(1), shown(3, uid="x"), again, *page)
    assert rules(sender(3), holed, log=log_of(*THREE), replaced=GONE) == ["shown"]
    early = viewer(shown(1), shown(3), again, *page)
    assert rules(sender(3), early, log=log_of(*THREE), replaced=GONE) == ["shown"]


def test_long_after_a_failover_a_valid_cursor_is_honoured() -> None:
    """Only who showed what was lost has to begin anew, or who came at the time."""
    page = [shown(1), shown(2), shown(3)]
    late = Began(99.0, ROOM, 3, refused_cursor="2:u2")
    bob = viewer(shown(1), shown(2), late, *page)
    log = log_of(*THREE)
    assert rules(sender(3), bob, log=log, replaced=GONE) == ["continuity"]
    bob.records[2] = shown(2, uid="x")
    assert rules(sender(3), bob, log=log, replaced=GONE) == []
    early = viewer(shown(1), shown(2), dataclasses.replace(late, at=2.0), *page)
    assert rules(sender(3), early, log=log, replaced=GONE) == []


def test_another_primary_excuses_no_lost_ack() -> None:
    """Only where the durability does not reach may an acknowledged message go."""
    ann = History("c-ann", "ann", [sent(1, 0.6), acked(1, 0.7)])
    assert rules(ann, log=log_of(), replaced=GONE) == ["acknowledged"]
    assert rules(ann, log=log_of(), replaced=GONE, lost=GONE) == []


def test_what_was_lost_may_be_stored_anew_later() -> None:
    """The other connection of the user sends it again; its place is a new one."""
    lost = acked(1, 0.7, uid="x")
    first = History("c-ann", "ann", [sent(1, 0.6), lost])
    other = History("c-bob", "bob", [sent(2, 1.0), acked(2, 1.1)])
    again = History("c-too", "ann", [sent(1, 2.0), acked(1, 2.1, message=2, offset=2)])
    stored = (
        LogEntry(1, "u2", 1, "bob", "c2", words="c2"),
        LogEntry(2, "u1", 2, "ann", "c1", words="c1"),
    )
    other.records[1] = acked(2, 1.1, message=1, offset=1)
    assert rules(first, other, again, log=log_of(*stored), lost=GONE) == []


def test_an_ack_tells_the_durability_that_was_asked_for() -> None:
    """One that waited for nothing is not passed off as safe."""
    one = log_of(entry(1))
    ann = History("c-ann", "ann", [sent(1, 1.0), acked(1, 1.1, durability="fsync")])
    assert rules(ann, log=one, durability="fsync") == []
    assert rules(ann, log=one, durability="replicas:1") == ["durability"]
