"""Recoveries, answers, lag and memory, from what is made by hand."""

from collections import Counter

import pytest

from benchmarks.node_numbers import NodeNumbers, lag_figures
from benchmarks.recovery import longest_answer, percentile, recoveries
from benchmarks.reliability import WARM_ROUNDS, grown
from verify.faults.kinds import Ended
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
    found = recoveries([ann, bob], [fault])
    assert [round(each, 3) for each in found] == [0.3]


def test_what_is_shown_again_is_not_late() -> None:
    """A client that begins anew shows a page once more."""
    bob = history(shown(2.1, 1), shown(9.0, 1))
    found = recoveries([history(acked(1.5, 1)), bob], [Ended("cut", 1.0, 2.0)])
    assert [round(each, 3) for each in found] == [0.1]


def test_what_another_fault_holds_up_is_not_counted() -> None:
    """The later fault is not over when the message is everywhere."""
    faults = [Ended("cut", 1.0, 2.0), Ended("stall", 2.5, 9.0)]
    bob = history(shown(5.0, 1))
    assert recoveries([history(acked(2.4, 1)), bob], faults) == [0.0, 0.0]


def test_answers_are_timed() -> None:
    """The longest wait for an answer; attempts without one are none."""
    ann = history(
        Sent(1.0, ROOM, "c1"),
        Answered(3.0, ROOM, "c1", Outcome.REFUSED, "unavailable"),
        Sent(3.0, ROOM, "c1"),
        Answered(9.0, ROOM, "c1", Outcome.UNKNOWN, "silent"),
        Sent(9.0, ROOM, "c1"),
        acked(9.5, 1),
    )
    assert longest_answer(ann) == 2.0


def test_percentiles() -> None:
    """The value that a share of all values do not exceed."""
    assert percentile([], 0.99) == 0.0
    assert percentile([1.0, 2.0, 3.0], 0.5) == 2.0
    assert percentile([1.0, 2.0, 3.0], 1.0) == 3.0


def numbers(lags: Counter[float], worst_lag: float) -> NodeNumbers:
    return NodeNumbers(
        started_at=1.0,
        memory_bytes=70_000_000,
        lags=lags,
        worst_lag=worst_lag,
        worst_lag_busy=0.0,
    )


def test_lags_are_added_up_over_processes_from_where_a_round_began() -> None:
    """What a process did before does not count; what a killed one did does."""
    before = numbers(Counter({0.001: 500, 0.5: 1}), 0.4)
    after = numbers(Counter({0.001: 1500, 0.1: 3, 0.5: 1}), 0.4)
    killed = numbers(Counter({0.001: 500, 0.25: 1}), 0.2)
    found = lag_figures([(before, after), (None, killed)])
    assert found.probes == 1504
    assert found.p99_9_seconds == 0.1
    assert found.worst_seconds == 0.2


@pytest.mark.parametrize(("growth", "is_grown"), [(1.04, False), (1.06, True)])
def test_memory_is_compared_with_that_of_a_warm_node(
    growth: float, *, is_grown: bool
) -> None:
    """Caches fill in the first rounds; from then on 5 % are allowed."""
    warm = [60_000_000, *[70_000_000] * (WARM_ROUNDS - 1)]
    assert not grown(warm)
    assert grown([*warm, round(70_000_000 * growth)]) is is_grown
