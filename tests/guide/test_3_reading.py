"""Reading: who has read how far."""

import pytest

from tests.kit.nodes import Node
from tests.kit.recording import RecordingClient, recording


@pytest.fixture(autouse=True)
async def _three_messages(ann: RecordingClient, bob: RecordingClient) -> None:
    for client in (ann, bob):
        await client.do("join", {"room": "42"})
    text = {"room": "42", "type": "text", "text": "Hello"}
    for number in range(3):
        await ann.do("send", {**text, "clientId": str(number)})


async def test_mark_as_read(ann: RecordingClient, bob: RecordingClient) -> None:
    """One number says it all: everything up to this message is read."""
    ack = await bob.do("mark_read", {"room": "42", "message": 2})
    assert ack == {"ok": True, "lastReadMessage": 2, "unread": 1}
    assert await ann.next("read", user="bob") == {
        "room": "42",
        "user": "bob",
        "lastReadMessage": 2,
    }


async def test_a_mark_never_goes_back(bob: RecordingClient) -> None:
    """A late or repeated mark changes nothing; one above the top means the top."""
    await bob.do("mark_read", {"room": "42", "message": 2})
    late = await bob.do("mark_read", {"room": "42", "message": 1})
    assert late["lastReadMessage"] == 2
    beyond = await bob.do("mark_read", {"room": "42", "message": 1_000_000})
    assert (beyond["lastReadMessage"], beyond["unread"]) == (3, 0)


async def test_count_who_has_not_read_a_message(
    ann: RecordingClient, bob: RecordingClient
) -> None:
    """The join ack has everybody's mark; `read` keeps them up to date."""
    await bob.do("mark_read", {"room": "42", "message": 2})
    reads = (await ann.do("join", {"room": "42"}))["reads"]
    assert reads == {"ann": 3, "bob": 2}
    unread_by = {
        number: sum(mark < number for mark in reads.values()) for number in (2, 3)
    }
    assert unread_by == {2: 0, 3: 1}


async def test_ones_other_devices_follow(node: Node, bob: RecordingClient) -> None:
    """What is read on the phone is read on the desk."""
    async with recording(node, "bob") as phone:
        joined = await phone.do("join", {"room": "42"})
        assert joined["unread"] == 3
        await bob.do("mark_read", {"room": "42", "message": 3})
        assert (await phone.next("read", user="bob"))["lastReadMessage"] == 3
