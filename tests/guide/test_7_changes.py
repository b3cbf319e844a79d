"""Changing messages: edit, delete, react, pin."""

import pytest

from tests.kit.nodes import run_nodes
from tests.kit.recording import Payload, RecordingClient, recording

MESSAGE = {"room": "42", "message": 1}


@pytest.fixture(autouse=True)
async def sent(ann: RecordingClient, bob: RecordingClient) -> Payload:
    """Both are in the room, and Ann has said something."""
    for client in (ann, bob):
        await client.do("join", {"room": "42"})
    text = {"room": "42", "clientId": "c-1", "type": "text", "text": "Helo Bob"}
    return await ann.do("send", text)


async def test_edit_a_message(
    ann: RecordingClient, bob: RecordingClient, sent: Payload
) -> None:
    """Everybody gets the new text as a whole; the message keeps its number and time."""
    edit = {**MESSAGE, "clientId": "c-2", "text": "Hello Bob"}
    ack = await ann.do("edit", edit)
    assert await bob.next("message_edited") == {
        "offset": 2,
        "uid": ack["uid"],
        "message": 1,
        "room": "42",
        "user": "ann",
        "text": "Hello Bob",
        "editedAt": ack["at"],
        "edits": 1,
        "at": ack["at"],
    }
    assert await ann.do("edit", edit) == {**ack, "duplicate": True}
    (found,) = (await bob.do("history", {"room": "42"}))["messages"]
    assert (found["text"], found["edits"], found["at"]) == (
        "Hello Bob",
        1,
        sent["at"],
    )
    assert found["rev"] == 2, "the offset of its last change"


async def test_nobody_edits_the_words_of_others(bob: RecordingClient) -> None:
    """Not even a moderator: what stands under a name was written by that user."""
    error = await bob.refused("edit", {**MESSAGE, "clientId": "1", "text": "I owe Bob"})
    assert (error["code"], error["reason"]) == ("forbidden", "author")


async def test_delete_a_message(ann: RecordingClient, bob: RecordingClient) -> None:
    """Its number stays, its words are gone; it is unread by nobody any more."""
    assert [each["unread"] for each in (await bob.do("rooms"))["rooms"]] == [1]
    ack = await ann.do("delete", MESSAGE)
    assert await bob.next("message_deleted") == {
        "offset": 2,
        "uid": ack["uid"],
        "message": 1,
        "room": "42",
        "by": "ann",
        "at": ack["at"],
    }
    (found,) = (await bob.do("history", {"room": "42"}))["messages"]
    assert (found["type"], found["deleted"]) == (
        "deleted",
        {"by": "ann", "at": ack["at"]},
    )
    assert "text" not in found
    assert [each["unread"] for each in (await bob.do("rooms"))["rooms"]] == [0]
    assert await ann.do("delete", MESSAGE) == {"ok": True, "duplicate": True}


async def test_a_moderator_deletes_what_others_wrote(
    ann: RecordingClient, bob: RecordingClient
) -> None:
    """And may say why; a member is refused."""
    assert (await bob.refused("delete", MESSAGE))["reason"] == "role"
    give = {"room": "42", "user": "bob", "role": "moderator"}
    await ann.do("member_set", give)
    await bob.do("delete", {**MESSAGE, "reason": "advertising"})
    told = await bob.next("message_deleted")
    assert (told["by"], told["reason"]) == ("bob", "advertising")


async def test_react_to_a_message(ann: RecordingClient, bob: RecordingClient) -> None:
    """`on` sets a reaction or takes it back; repeating either changes nothing."""
    thumb = {**MESSAGE, "key": "👍"}
    assert (await bob.do("react", {**thumb, "on": True}))["count"] == 1
    assert (await bob.do("react", {**thumb, "on": True}))["duplicate"] is True
    assert (await ann.do("react", {**thumb, "on": True}))["count"] == 2
    told = await ann.next("reaction", user="bob")
    assert (told["key"], told["on"], told["count"]) == ("👍", True, 1)
    (found,) = (await bob.do("history", {"room": "42"}))["messages"]
    assert found["reactions"] == {"👍": 2}
    assert (await bob.do("react", {**thumb, "on": False}))["count"] == 1


async def test_react_in_a_large_room(redis_url: str) -> None:
    """There the counts are told together, about once a second."""
    async with (
        run_nodes(1, redis_url, announce_members=1) as (large,),
        recording(large, "ann") as client,
    ):
        await client.do("join", {"room": "42"})
        await client.do("react", {**MESSAGE, "key": "👍", "on": True})
        assert await client.next("reactions") == {**MESSAGE, "counts": {"👍": 1}}


async def test_pin_a_message(ann: RecordingClient, bob: RecordingClient) -> None:
    """For moderators and owners; whoever joins is told what is pinned."""
    pin = {**MESSAGE, "on": True}
    assert (await bob.refused("pin", pin))["reason"] == "role"
    await ann.do("pin", pin)
    told = await bob.next("pin")
    assert (told["message"], told["on"], told["by"]) == (1, True, "ann")
    assert (await bob.do("join", {"room": "42"}))["pins"] == [1]
