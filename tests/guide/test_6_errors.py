"""Errors: what an ack says when something cannot be done."""

import ast
from pathlib import Path

import pytest

from schemas.catalog import BROADCASTS, REQUESTS
from tests.kit.recording import RecordingClient

# Broadcasts of drains, lost logs and gaps: tests/server brings them about.
# It comes before anybody can hear it: by recovery alone.
WHEN_SOMETHING_BREAKS = {"room_created", "closing", "reload", "service", "state"}
WHEN_SOMETHING_BREAKS |= {"me_reload"}


async def test_an_error_says_what_is_wrong(ann: RecordingClient) -> None:
    """`code` is for the program, `message` for the person, `fields` for the form."""
    error = await ann.refused("join", {"room": "no such name", "cursr": ""})
    assert error["code"] == "invalid"
    assert error["temporary"] is False, "the same request will fail again"
    assert error["fields"] == {
        "room": ["Must be 1 to 64 of A-Z a-z 0-9 _ -."],
        "cursr": ["There is no such field."],
    }


async def test_the_order_of_things_is_told(ann: RecordingClient) -> None:
    """Who wants to write in a room joins it first."""
    typing = {"room": "42", "on": True}
    assert (await ann.refused("typing", typing))["code"] == "not_attending"
    await ann.do("join", {"room": "42"})
    await ann.do("typing", typing)


@pytest.mark.parametrize("name", sorted(REQUESTS))
def test_every_event_is_in_the_guide(name: str) -> None:
    """Some guide test does it: the guide is whole."""
    assert name in _first_arguments("do")


@pytest.mark.parametrize(
    "name", sorted(set(BROADCASTS) - WHEN_SOMETHING_BREAKS - {"room_created"})
)
def test_every_broadcast_is_in_the_guide(name: str) -> None:
    """Some guide test waits for it; nobody attends when `room_created` is published."""
    assert name in _first_arguments("next")


def _first_arguments(method: str) -> set[str]:
    """Return the texts that the guide's tests give a method as first argument."""
    found: set[str] = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == method
                and node.args
                and isinstance(node.args[0], ast.Constant)
            ):
                found.add(str(node.args[0].value))
    return found
