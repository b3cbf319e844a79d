"""Coming back: what was missed, in order, once."""

import pytest

from tests.kit.nodes import Node
from tests.kit.recording import RecordingClient, recording


async def say(client: RecordingClient, text: str, room: str = "42") -> None:
    message = {"room": room, "clientId": text, "type": "text", "text": text}
    await client.do("send", message)


@pytest.fixture(autouse=True)
async def _ann_is_in_the_room(ann: RecordingClient) -> None:
    await ann.do("join", {"room": "42"})


async def test_the_first_join_shows_the_newest_page(
    ann: RecordingClient, bob: RecordingClient
) -> None:
    """Without a cursor `events` are the newest messages, and `recovered` is false."""
    await say(ann, "one")
    await say(ann, "two")
    joined = await bob.do("join", {"room": "42"})
    assert joined["recovered"] is False
    assert [payload["text"] for _, payload in joined["events"]] == ["one", "two"]
    assert joined["unread"] == 0, "what was said before one came counts as read"


async def test_a_cursor_brings_exactly_what_was_missed(
    node: Node, ann: RecordingClient
) -> None:
    """The cursor is `<offset>:<uid>` of the last event that was handled."""
    async with recording(node, "bob") as bob:
        await bob.do("join", {"room": "42"})
        await say(ann, "one")
        seen = await bob.next("message")
    cursor = f"{seen['offset']}:{seen['uid']}"
    await say(ann, "two")
    await say(ann, "three")
    async with recording(node, "bob") as bob:
        back = await bob.do("join", {"room": "42", "cursor": cursor})
        assert back["recovered"] is True
        assert [payload["text"] for _, payload in back["events"]] == ["two", "three"]
        await say(ann, "four")
        live = await bob.next("message")
        assert live["text"] == "four"
        assert live["offset"] == int(back["cursor"].partition(":")[0]) + 1


async def test_a_cursor_that_cannot_be_honoured_is_said_so(
    ann: RecordingClient, bob: RecordingClient
) -> None:
    """Never a partial recovery: the client starts from the newest page instead."""
    await say(ann, "one")
    for cursor in ("1:another-uid", "99:x", "nonsense"):
        joined = await bob.do("join", {"room": "42", "cursor": cursor})
        assert joined["recovered"] is False
        assert [payload["text"] for _, payload in joined["events"]] == ["one"]


async def test_sync_all_rooms_at_once(node: Node, ann: RecordingClient) -> None:
    """After a reconnect one `sync` does what a `join` for each room would."""
    await ann.do("join", {"room": "7"})
    async with recording(node, "bob") as bob:
        cursors = {
            room: (await bob.do("join", {"room": room}))["cursor"]
            for room in ("42", "7")
        }
    await say(ann, "missed")
    async with recording(node, "bob") as bob:
        asked = [{"room": room, "cursor": cursor} for room, cursor in cursors.items()]
        first, second = (await bob.do("sync", {"rooms": asked}))["rooms"]
        assert (first["room"], first["recovered"]) == ("42", True)
        assert [payload["text"] for _, payload in first["events"]] == ["missed"]
        assert (second["room"], second["events"]) == ("7", [])
        await say(ann, "live", room="7")
        assert (await bob.next("message"))["text"] == "live"
