"""Every event of the catalogue with payloads made from its schema, and bent.

What is always so is in ``tests/socketio/test_hostile_payloads.py``, case by case; here
nobody has thought of the case.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st
from marshmallow import ValidationError

from realtime import json_codec
from schemas.catalog import ERROR_ACK, REQUESTS
from tests.hostile.fuzzing import (
    NO_JSON,
    ODD_VALUES,
    PLACEHOLDER,
    Raw,
    bounded,
    mutated,
    valid_payload,
    written,
)
from tests.hostile.scene import Scene
from tests.kit.nodes import NAMESPACE
from tests.kit.raw_chat import RawChat, raw_chat

# Rooms of the stranger, who may do there what everybody may.
ROOMS = ("mallory-1", "mallory-2", "mallory-3")


# What they make has other names than those looked for afterwards; their bad input is
# tested with the rooms' people.
WRITES_FOR_OTHERS = {"block", "members_add", "room_create"}


@st.composite
def requests(draw: Any) -> tuple[str, list[Any]]:
    """Return an event of the catalogue and its arguments."""
    event = draw(st.sampled_from(sorted(set(REQUESTS) - WRITES_FOR_OTHERS)))
    payload = draw(valid_payload(REQUESTS[event].payload, st.sampled_from(ROOMS)))
    bent = draw(mutated(payload))
    if draw(st.integers(0, 9)) == 0:
        return event, draw(st.lists(st.just(bent) | ODD_VALUES, max_size=3))
    return event, [bent]


class Mallory:
    """A stranger whose connection is to live through everything that is JSON."""

    def __init__(self, chat: RawChat) -> None:
        self._chat = chat
        self._ids = 1

    async def ask(
        self, event: str, arguments: list[Any], attachments: int
    ) -> dict[str, Any]:
        """Send a request and return its answer."""
        self._ids += 1
        kind = f"45{attachments}-" if attachments else "42"
        data = written([event, *arguments])
        await self._chat.send(f"{kind}{NAMESPACE},{self._ids}{data}")
        for _ in range(attachments):
            await self._chat.send(b"\x89PNG no image")
        prefix = f"43{NAMESPACE},{self._ids}["
        answer = await self._chat.frame(prefix)
        decoded: dict[str, Any] = json.loads(answer[len(prefix) - 1 :])[0]
        return decoded


@pytest.fixture
async def mallory(scene: Scene) -> AsyncIterator[Mallory]:
    """A stranger with a connection; when it ends, what it made of Redis is its own."""
    async with raw_chat(scene.node, {"user": "mallory"}) as chat:
        yield Mallory(chat)
    strange = [key for key in scene.new_keys() if b"mallory" not in key]
    assert not strange, f"keys that are no room of mallory's: {strange}"


def judge(event: str, arguments: list[Any], answer: dict[str, Any]) -> None:
    """The answer is one of the protocol's, and names the field if one is wrong."""
    if answer["ok"] is True:
        REQUESTS[event].ack.load(answer)
        return
    ERROR_ACK.load(answer)
    error = answer["error"]
    assert error["code"] not in ("internal", "unknown", "unknown_event"), answer
    if error["code"] == "invalid":
        assert error["fields"], answer
        assert all(error["fields"].values()), answer
    assert len(json.dumps(answer)) < 10_000, "an error is no echo"


@bounded(800)
@given(request=requests())
async def test_bent_payloads_of_every_event(
    mallory: Mallory, request: tuple[str, list[Any]]
) -> None:
    """An answer of the protocol to each, on a connection that lives through them all.

    What the schema refuses is refused, so no other way leads past it.
    """
    event, arguments = request
    text = written(arguments)
    note(f"{event}{text[:2_000]}")
    attachments = 1 if str(PLACEHOLDER) in text else 0
    answer = await mallory.ask(event, arguments, attachments)
    note(str(answer))
    judge(event, arguments, answer)
    assert answer["ok"] is False or _is_acceptable(event, text)


def _is_acceptable(event: str, text: str) -> bool:
    """Say whether what JSON makes of the arguments is a payload of the event."""
    arguments = json_codec.loads(text)
    if not arguments:
        return REQUESTS[event].bare
    try:
        REQUESTS[event].payload.load(_filled(arguments[0]))
    except ValidationError:
        return False
    return len(arguments) == 1


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get("_placeholder") is True:
            return b"\x89PNG no image"
        return {name: _filled(each) for name, each in value.items()}
    return [_filled(each) for each in value] if isinstance(value, list) else value


@bounded(120)
@given(
    event=st.sampled_from(
        [
            *sorted(set(REQUESTS) - WRITES_FOR_OTHERS),
            "bogus",
            "",
            "__proto__",
            "on_join",
        ]
    ),
    junk=NO_JSON
    | st.sampled_from(
        tuple(
            map(
                Raw,
                (
                    '{"room":"mallory-1"',
                    '{"room":"mallory-1",}',
                    '{room:"mallory-1"}',
                    '"\\ud8"',
                    '"\x00"',
                    "[" * 4_000,
                    '{"a":' * 300 + "1" + "}" * 300,
                    '{"_placeholder":true,"num":0}',
                    '{"_placeholder":true,"num":-1}',
                ),
            )
        )
    ),
    ack=st.booleans(),
    binary=st.booleans(),
)
async def test_what_is_no_packet_ends_that_connection_alone(
    scene: Scene, event: str, junk: Raw, ack: bool, binary: bool
) -> None:
    """JSON that is none, or deeper than 200, or without its attachment: closed.

    An attachment in an odd place is only an odd value, and is answered.
    """
    async with raw_chat(scene.node, {"user": "mallory"}) as chat:
        head = f"45{int(binary)}-" if binary else "42"
        number = "7" if ack else ""
        await chat.send(f"{head}{NAMESPACE},{number}[{json.dumps(event)},{junk}]")
        if binary:
            await chat.send(b"\x00\xff")
        # Whoever is alive answers this, and whoever is not is closed.
        await chat.send(f'42{NAMESPACE},8["rooms"]')
        is_answered = await chat.answered(f"43{NAMESPACE},8")
    # Without attachments a placeholder is an object like others.
    is_packet = "_placeholder" in junk and (not binary or junk == PLACEHOLDER)
    assert is_answered is is_packet
