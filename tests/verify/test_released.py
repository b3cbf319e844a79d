"""What nodes may hold when all clients have gone, and how their numbers are read."""

from collections import Counter

import pytest

from verify.census import POOLS, WARM_ROUNDS, Census
from verify.node_numbers import NodeNumbers, lag_figures, parse_numbers

NODE = "node 1"

TEXT = """
# HELP process_resident_memory_bytes Resident memory size in bytes.
process_resident_memory_bytes 7.2769536e+07
process_start_time_seconds 1.79540701166e+09
process_open_fds 14.0
chatroom_sessions 0.0
chatroom_errors_total{event="send",code="invalid"} 3.0
chatroom_loop_lag_seconds_bucket{le="0.001"} 117.0
chatroom_loop_lag_seconds_bucket{le="0.1"} 121.0
chatroom_loop_lag_seconds_bucket{le="+Inf"} 122.0
chatroom_loop_lag_worst_seconds 0.4
chatroom_loop_lag_worst_busy_seconds 0.3
chatroom_objects{kind="feeds"} 2.0
"""


def numbers(
    *,
    memory: int = 70_000_000,
    descriptors: int = 11,
    lags: Counter[float] | None = None,
    worst_lag: float = 0.0,
    **objects: int,
) -> NodeNumbers:
    return NodeNumbers(
        started_at=1.0,
        memory_bytes=memory,
        descriptors=descriptors,
        objects={"sessions": 0, "request_buckets": 0, **objects},
        lags=lags or Counter(),
        worst_lag=worst_lag,
        worst_lag_busy=0.0,
    )


def census(*, spared: bool = True) -> Census:
    return Census({NODE: numbers()}, frozenset({NODE}) if spared else frozenset())


def test_numbers_are_read_from_the_text() -> None:
    """Memory, descriptors, objects, and the histogram bucket by bucket."""
    read = parse_numbers(TEXT)
    assert read.memory_bytes == 72_769_536
    assert read.descriptors == 14
    assert read.objects == {"feeds": 2}
    assert read.lags == {0.001: 117, 0.1: 4, float("inf"): 1}


def test_a_node_that_does_not_tell_is_no_node() -> None:
    """What lacks these numbers is left out by whoever looks, not misread."""
    with pytest.raises(KeyError):
        parse_numbers("chatroom_sessions 0.0\n")


def test_what_is_kept_of_a_client_is_too_much() -> None:
    """One session is one too many; the text says of which node and what."""
    (violation,) = census().take(NODE, numbers(sessions=1))
    assert violation.rule == "released"
    assert violation.text == "node 1 holds 1 sessions where 0 may be"


def test_the_second_round_may_leave_no_more_than_the_first() -> None:
    """A first use may open a connection; each round one more is a leak."""
    each = census()
    assert each.take(NODE, numbers(descriptors=12)) == []
    assert each.take(NODE, numbers(descriptors=12)) == []
    assert each.take(NODE, numbers(descriptors=13)) != []


def test_a_node_that_was_started_anew_is_held_against_a_start() -> None:
    """It is another process each time, and may open its spare connections again."""
    each = census(spared=False)
    assert each.take(NODE, numbers(descriptors=11)) == []
    assert each.take(NODE, numbers(descriptors=13)) == []
    assert each.take(NODE, numbers(descriptors=20)) != []


def test_a_pool_may_fill_but_not_overflow() -> None:
    """What is dropped by and by is bounded."""
    most = POOLS["request_buckets"]
    assert census().take(NODE, numbers(request_buckets=most)) == []
    assert census().take(NODE, numbers(request_buckets=most + 1)) != []


@pytest.mark.parametrize(("growth", "is_grown"), [(1.04, False), (1.06, True)])
def test_memory_is_compared_with_that_of_a_warm_node(
    growth: float, *, is_grown: bool
) -> None:
    """Caches fill in the first rounds; from then on 5 % are allowed."""
    each = census()
    for memory in (60_000_000, *[70_000_000] * (WARM_ROUNDS - 1)):
        each.take(NODE, numbers(memory=memory))
    assert each.grown() == []
    each.take(NODE, numbers(memory=round(70_000_000 * growth)))
    assert bool(each.grown()) is is_grown


def test_lags_are_added_up_over_processes_from_where_a_round_began() -> None:
    """What a process did before does not count; what a killed one did does."""
    before = numbers(lags=Counter({0.001: 500, 0.5: 1}), worst_lag=0.4)
    after = numbers(lags=Counter({0.001: 1500, 0.1: 3, 0.5: 1}), worst_lag=0.4)
    killed = numbers(lags=Counter({0.001: 500, 0.25: 1}), worst_lag=0.2)
    figures = lag_figures([(before, after), (None, killed)])
    assert figures.probes == 1504
    assert figures.p99_9_seconds == 0.1
    assert figures.worst_seconds == 0.2
