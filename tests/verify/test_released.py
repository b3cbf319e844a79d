"""What nodes may hold when all clients have gone."""

from verify.released import FIRST_USE, POOLS, parse_held, too_much

TEXT = """
# HELP process_open_fds Number of open file descriptors.
process_open_fds 14.0
chatroom_sessions 0.0
chatroom_errors_total{event="send",code="invalid"} 3.0
chatroom_objects{kind="feeds"} 2.0
"""

IDLE = {"descriptors": 11, "sessions": 0, "request_buckets": 0}


def test_what_is_held_is_read_from_the_text() -> None:
    """Descriptors, and objects by their kind."""
    assert parse_held(TEXT) == {"descriptors": 14, "feeds": 2}


def test_what_is_kept_of_a_client_is_too_much() -> None:
    """One session is one too many; the text says what, and what may be."""
    assert too_much(IDLE, {**IDLE, "sessions": 1}) == ["1 sessions where 0 may be"]


def test_a_first_use_may_open_a_connection_but_a_leak_shows() -> None:
    """Some come with first use and stay; one more each round is soon too much."""
    most = IDLE["descriptors"] + FIRST_USE["descriptors"]
    assert too_much(IDLE, {**IDLE, "descriptors": most}) == []
    assert too_much(IDLE, {**IDLE, "descriptors": most + 1}) != []


def test_a_pool_may_fill_but_not_overflow() -> None:
    """What is dropped by and by is bounded."""
    most = POOLS["request_buckets"]
    assert too_much(IDLE, {**IDLE, "request_buckets": most}) == []
    assert too_much(IDLE, {**IDLE, "request_buckets": most + 1}) != []
