"""What nodes may hold when all clients have gone."""

from verify.released import POOLS, Census, parse_held

NODE = "node 1"

TEXT = """
# HELP process_open_fds Number of open file descriptors.
process_open_fds 14.0
chatroom_sessions 0.0
chatroom_errors_total{event="send",code="invalid"} 3.0
chatroom_objects{kind="feeds"} 2.0
"""


def held(*, descriptors: int = 11, **objects: int) -> dict[str, int]:
    idle = {"sessions": 0, "request_buckets": 0}
    return {"descriptors": descriptors, **idle, **objects}


def census(*, lasts: bool = True) -> Census:
    made = Census([], frozenset({NODE}) if lasts else frozenset())
    made.note_idle(NODE, held())
    return made


def test_what_is_held_is_read_from_the_text() -> None:
    """Descriptors, and objects by their kind."""
    assert parse_held(TEXT) == {"descriptors": 14, "feeds": 2}


def test_what_is_kept_of_a_client_is_too_much() -> None:
    """One session is one too many; the text says of which node and what."""
    (violation,) = census().take(NODE, held(sessions=1))
    assert violation.rule == "released"
    assert violation.text == "node 1 holds 1 sessions where 0 may be"


def test_the_second_round_may_leave_no_more_than_the_first() -> None:
    """A first use may open a connection; each round one more is a leak."""
    each = census()
    assert each.take(NODE, held(descriptors=12)) == []
    assert each.take(NODE, held(descriptors=12)) == []
    assert each.take(NODE, held(descriptors=13)) != []


def test_a_node_that_was_started_anew_is_held_against_a_start() -> None:
    """It is another process each time, and may open its spare connections again."""
    each = census(lasts=False)
    assert each.take(NODE, held(descriptors=11)) == []
    assert each.take(NODE, held(descriptors=13)) == []
    assert each.take(NODE, held(descriptors=20)) != []


def test_a_pool_may_fill_but_not_overflow() -> None:
    """What is dropped by and by is bounded."""
    most = POOLS["request_buckets"]
    assert census().take(NODE, held(request_buckets=most)) == []
    assert census().take(NODE, held(request_buckets=most + 1)) != []
