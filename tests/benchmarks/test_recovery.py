"""The figures of a run, from histories made by hand."""

from verify.figures import Ended, figures, percentile
from verify.history import Answered, History, Outcome, Record, Sent, Shown

ROOM = "r"


def acked(at: float, number: int) -> Answered:
    name = f"c{number}"
    return Answered(
        at, ROOM, name, Outcome.ACKED, message=number, offset=number, uid="u"
    )


def shown(at: float, number: int) -> Shown:
    return Shown(at, ROOM, number, "u", number, "ann", f"c{number}")


def history(*records: Record) -> History:
    return History("c", "ann", list(records))


def test_recovery_is_from_the_fault_s_end_to_the_last_client() -> None:
    """A message of the outage counts from its end, a later one from its ack."""
    fault = Ended("cut", 1.0, 2.0)
    ann = history(acked(1.5, 1), shown(1.6, 1), acked(2.5, 2), shown(2.6, 2))
    bob = history(shown(2.3, 1), shown(2.6, 2))
    found = figures([ann, bob], [fault]).recovery_seconds
    assert [round(each, 3) for each in found] == [0.3]


def test_what_is_shown_again_is_not_late() -> None:
    """A client that begins anew shows a page once more."""
    bob = history(shown(2.1, 1), shown(9.0, 1))
    found = figures([history(acked(1.5, 1)), bob], [Ended("cut", 1.0, 2.0)])
    assert [round(each, 3) for each in found.recovery_seconds] == [0.1]


def test_what_another_fault_holds_up_is_not_counted() -> None:
    """The later fault is not over when the message is everywhere."""
    faults = [Ended("cut", 1.0, 2.0), Ended("stall", 2.5, 9.0)]
    bob = history(shown(5.0, 1))
    found = figures([history(acked(2.4, 1)), bob], faults)
    assert found.recovery_seconds == [0.0, 0.0]


def test_answers_are_timed_and_silence_is_counted() -> None:
    """The longest wait for an answer; attempts without one are told apart."""
    ann = history(
        Sent(1.0, ROOM, "c1"),
        Answered(3.0, ROOM, "c1", Outcome.REFUSED, "unavailable"),
        Sent(3.0, ROOM, "c1"),
        Answered(9.0, ROOM, "c1", Outcome.UNKNOWN, "silent"),
        Sent(9.0, ROOM, "c1"),
        acked(9.5, 1),
    )
    found = figures([ann], [])
    assert (found.messages, found.attempts, found.silent) == (1, 3, 1)
    assert found.answer_seconds == 2.0
    assert found.refusals == {"unavailable": 1}


def test_percentiles() -> None:
    """The value that a share of all values do not exceed."""
    assert percentile([], 0.99) == 0.0
    assert percentile([1.0, 2.0, 3.0], 0.5) == 2.0
    assert percentile([1.0, 2.0, 3.0], 1.0) == 3.0
