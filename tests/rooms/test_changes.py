"""Changes of messages over nodes: told in order, and gone from every memory at once."""

from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from realtime.rooms.feed import RoomFeed
from realtime.store import keys
from realtime.store.position import START, Position
from tests.kit.members import member
from tests.kit.nodes import Node

MESSAGE = {"room": "42", "message": 1}
CHANGES: list[tuple[str, dict[str, Any], str]] = [
    ("edit", {"clientId": "e", "text": "hello"}, "message_edited"),
    ("react", {"key": "+1", "on": True}, "reaction"),
    ("pin", {"on": True}, "pin"),
    ("react", {"key": "+1", "on": False}, "reaction"),
    ("delete", {}, "message_deleted"),
]


async def test_every_change_reaches_every_node_in_order(
    nodes: list[Node], redis_client: Redis
) -> None:
    """Who is there, who comes back and who is new see the same."""
    async with (
        member(nodes[0], "ann", "42") as ann,
        member(nodes[-1], "bob", "42") as bob,
    ):
        record = '{"role":"moderator","joinedAt":1}'
        await redis_client.hset(keys.members("42"), "ann", record)
        await ann.send("helo")
        await bob.next("message")
        cursor = bob.cursors["42"]
        for event, payload, told in CHANGES:
            await ann.do(event, {**MESSAGE, **payload})
            for who in (ann, bob):
                assert (await who.next(told))["message"] == 1
            (stored,) = (await bob.do("history", {"room": "42"}))["messages"]
            assert bob.seen["42"] == ann.seen["42"] == [stored]
            async with member(nodes[0], "cid", "42") as cid:
                assert cid.seen["42"] == [stored]
                assert cid.pins["42"] == bob.pins["42"]
        async with member(nodes[-1], "bob") as phone:
            again = await phone.join("42", cursor)
        names = [name for name, _ in again["events"]]
        assert names == ["message_deleted", *(told for _, _, told in CHANGES[1:])]
        assert b"hello" not in orjson.dumps(again)


@pytest.mark.parametrize(
    ("event", "payload", "wrong"),
    [
        ("edit", {"clientId": "e"}, "text"),
        ("edit", {"clientId": "e", "text": " "}, "text"),
        ("edit", {"text": "x"}, "clientId"),
        ("edit", {"clientId": "e", "text": "x", "image": b"x"}, "image"),
        ("edit", {"clientId": "e", "text": "x", "mentions": ["a", "a"]}, "mentions.1"),
        ("delete", {"message": 0}, "message"),
        ("delete", {"reason": "x" * 201}, "reason"),
        ("delete", {"reason": "two\nlines"}, "reason"),
        ("react", {"on": True}, "key"),
        ("react", {"key": "", "on": True}, "key"),
        ("react", {"key": "\u200d", "on": True}, "key"),
        ("react", {"key": "x" * 65, "on": True}, "key"),
        ("react", {"key": "x", "on": 1}, "on"),
        ("pin", {}, "on"),
        ("pin", {"on": True, "message": "1"}, "message"),
    ],
)
async def test_what_is_wrong_with_a_change_is_said(
    nodes: list[Node], event: str, payload: dict[str, Any], wrong: str
) -> None:
    """By its field; nothing is changed."""
    async with member(nodes[0], "ann", "42") as ann:
        await ann.send("hello")
        await ann.next("message")
        error = await ann.refused(event, {**MESSAGE, **payload})
        assert error["code"] == "invalid"
        assert list(error["fields"]) == [wrong]
        assert (await ann.join("42", ann.cursors["42"]))["events"] == []


def logged(offset: int, name: str, **payload: Any) -> tuple[Position, bytes]:
    """Return an event of message 1 and its position."""
    head = {"offset": offset, "uid": f"u{offset}", "message": 1, "room": "42"}
    event = orjson.dumps([name, head | payload | {"at": offset}])
    return Position(offset, f"u{offset}"), event


SENT = logged(1, "message", user="ann", type="text", text="secret", clientId="c")
EDITED = logged(2, "message_edited", user="ann", text="secret", editedAt=2, edits=1)
DELETED = logged(3, "message_deleted", by="ann")


def test_a_node_forgets_deleted_words() -> None:
    """What it remembers, what it collects for who comes, what it reads late."""
    feed = RoomFeed("42")
    entry = feed.begin_entry()
    for each in (SENT, EDITED, DELETED):
        feed.advance(*each)
    remembered = feed.recent.after(START)
    assert remembered is not None
    assert [orjson.loads(each)[0] for each in remembered] == [
        *("message", "message_deleted", "message_deleted")
    ]
    assert entry.tail == remembered
    assert b"secret" not in b"".join(remembered)
    assert feed.recent.size == sum(map(len, remembered))
    late = RoomFeed("42")
    late.restart(EDITED[0])
    late.advance(*DELETED)
    late.recent.remember(START, [SENT[1], EDITED[1]])
    assert late.recent.after(START) == remembered


async def test_a_node_that_is_late_gives_no_deleted_words_away(
    nodes: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its memory has the message still; who comes after the deletion's ack does not."""
    async with (
        member(nodes[0], "ann", "42") as ann,
        member(nodes[-1], "bob", "42") as bob,
        member(nodes[-1], "bob") as phone,
    ):
        cursor = bob.cursors["42"]
        await ann.send("a secret")
        await bob.next("message")
        late: list[bytes] = []

        def receive(_channel: str, event: bytes, *, fits: bool) -> bool:
            late.append(event)
            return False

        monkeypatch.setattr(nodes[-1].parts.feeds, "receive", receive)
        await ann.do("delete", MESSAGE)
        joined = await phone.join("42", cursor)
        assert joined["recovered"]
        assert [each["type"] for each in phone.seen["42"]] == ["deleted"]
        assert b"secret" not in orjson.dumps(joined)
        assert late
