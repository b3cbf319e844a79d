"""Rates: what a burst and a long run may take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import RateLimitedError
from realtime.rates import (
    CONNECTION,
    KEPT_ALWAYS,
    Buckets,
    Rate,
    RequestRates,
    parse_rates,
)

NAMES = frozenset({"connection", "user", "send", "typing"})


def test_a_burst_is_let_through_and_the_next_waits() -> None:
    """Ten at once at 2 a second; the eleventh may come half a second later."""
    buckets = Buckets()
    rate = Rate(2, 10)
    assert [buckets.take("a", rate, 100.0) for _ in range(10)] == [0.0] * 10
    assert buckets.take("a", rate, 100.0) == pytest.approx(0.5)
    assert buckets.take("a", rate, 100.5) == 0.0


def test_one_bucket_does_not_empty_another() -> None:
    """A flood of one connection leaves the others theirs."""
    buckets = Buckets()
    rate = Rate(1, 1)
    assert buckets.take("a", rate, 0.0) == 0.0
    assert buckets.take("a", rate, 0.0) > 0
    assert buckets.take("b", rate, 0.0) == 0.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=200))
def test_in_the_long_run_the_rate_holds(pauses: list[float]) -> None:
    """However requests come, no more pass than the burst and the rate allow."""
    buckets, rate = Buckets(), Rate(5, 7)
    now, passed = 0.0, 0
    for pause in pauses:
        now += pause
        passed += buckets.take("a", rate, now) == 0.0
    assert passed <= rate.burst + rate.per_second * now + 1e-6


def test_full_buckets_take_no_memory() -> None:
    """A million different connections over a day do not add up."""
    buckets, rate = Buckets(), Rate(1000, 1)
    for number in range(3 * KEPT_ALWAYS):
        assert buckets.take(number, rate, float(number)) == 0.0
    assert len(buckets) <= KEPT_ALWAYS + 2


def test_all_requests_of_a_connection_count_together() -> None:
    """Different events cannot be used to get around the connection's rate."""
    rates = RequestRates({CONNECTION: Rate(1, 2)})
    rates.take("sid", "send", 0.0)
    rates.take("sid", "typing", 0.0)
    with pytest.raises(RateLimitedError) as refused:
        rates.take("sid", "history", 0.0)
    assert refused.value.retry_after_ms == 1000


def test_a_connection_that_ended_leaves_nothing() -> None:
    """Clients that come and go do not fill the node with what they once did."""
    rates = RequestRates({CONNECTION: Rate(1, 2), "send": Rate(1, 2)})
    rates.take("sid", "send", 0.0)
    rates.take("other", "send", 0.0)
    rates.forget("sid")
    assert len(rates) == 2


def test_the_setting_is_read() -> None:
    """What is not named is not limited."""
    assert parse_rates("send=2.5/10, user=1/1", NAMES) == {
        "send": Rate(2.5, 10),
        "user": Rate(1.0, 1),
    }
    assert parse_rates("off", NAMES) == {}


@pytest.mark.parametrize("text", ["", "send", "send=0/1", "send=1/0", "shout=1/1"])
def test_a_wrong_setting_is_refused(text: str) -> None:
    """A typing error must not leave the server without limits."""
    with pytest.raises(ValueError, match=r"."):
        parse_rates(text, NAMES)
