"""Mentions: who has unread ones, whatever becomes of the messages and the people."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.kit.members import Member, member, text_of
from tests.kit.nodes import Node, run_nodes
from tests.kit.redis_server import RedisServer

ODD = "a:n;n%[0]@e.org"


@pytest.fixture
async def ann(three: list[Node]) -> AsyncIterator[Member]:
    """Ann, in the room."""
    async with member(three[0], "ann", "42") as client:
        yield client


@pytest.fixture
async def bob(three: list[Node]) -> AsyncIterator[Member]:
    """Bob, at another node, in the room."""
    async with member(three[1], "bob", "42") as client:
        yield client


async def say(client: Member, *mentions: str, **more: object) -> int:
    """Send a text that mentions users; return its number."""
    payload = {**text_of("hi"), "mentions": list(mentions), **more}
    number: int = (await client.do("send", payload))["message"]
    return number


async def unread(client: Member) -> int:
    """Return the unread mentions of room 42, which two requests say alike."""
    (row,) = (await client.do("rooms"))["rooms"]
    ack = await client.join()
    assert ack["unreadMentions"] == row["unreadMentions"]
    found: int = row["unreadMentions"]
    return found


async def test_members_have_their_mentions_until_they_read_them(
    ann: Member, bob: Member
) -> None:
    """Each by their own mark, on whatever node they ask."""
    first = await say(ann, "bob", "ann")
    await say(ann)
    last = await say(ann, "bob", "nobody")
    assert (await unread(bob), await unread(ann)) == (2, 0)
    await bob.do("mark_read", {"room": "42", "message": first})
    assert await unread(bob) == 1
    await bob.do("mark_read", {"room": "42", "message": last})
    assert await unread(bob) == 0


async def test_writing_is_reading(ann: Member, bob: Member) -> None:
    """A message of one's own moves the mark, and what is below it is read."""
    await say(ann, "bob")
    await say(bob)
    assert await unread(bob) == 0


@pytest.mark.parametrize("other", ["ann", "ann1", "an", "a", "a%3An"])
async def test_similar_ids_are_other_users(
    three: list[Node], bob: Member, other: str
) -> None:
    """Whatever characters ids have, mentions of one are not another's."""
    async with (
        member(three[0], ODD, "42") as odd,
        member(three[2], other, "42") as like,
    ):
        await say(bob, ODD)
        await say(bob, ODD)
        assert (await unread(odd), await unread(like)) == (2, 0)
        await like.do("mark_read", {"room": "42", "message": 2})
        assert await unread(odd) == 2


async def test_everybody_is_mentioned(
    three: list[Node], ann: Member, bob: Member
) -> None:
    """Once, also who is mentioned by name as well; who comes later is not."""
    await say(ann, "bob", mentionAll=True)
    assert (await unread(bob), await unread(ann)) == (1, 0)
    assert (await bob.next("message"))["mentionAll"] is True
    async with member(three[2], "cleo", "42") as cleo:
        assert await unread(cleo) == 0


async def test_in_a_large_room_moderators_mention_everybody(
    ann: Member, bob: Member, redis_server: RedisServer
) -> None:
    """Members do in rooms of fifty; `mentionAll: false` says nothing."""
    key = "{chatroom-42}:members"
    crowd: dict[Any, Any] = {
        f"u{n}": '{"role":"member","joinedAt":1}' for n in range(48)
    }
    redis_server.admin.hset(key, mapping=crowd)
    await say(bob, mentionAll=True)
    redis_server.admin.hset(key, "u48", '{"role":"member","joinedAt":1}')
    payload = {**text_of("all"), "mentionAll": True}
    error = await bob.refused("send", payload)
    assert (error["code"], error["reason"]) == ("forbidden", "role")
    await say(bob, mentionAll=False)
    await ann.do("member_set", {"room": "42", "user": "bob", "role": "moderator"})
    # The refusal is not remembered: the same may be sent again.
    assert (await bob.do("send", payload))["duplicate"] is False
    redis_server.admin.hdel(key, *crowd, "u48")


async def test_a_retry_mentions_once(ann: Member, bob: Member) -> None:
    """A stored clientId gets its first result, and nobody is mentioned anew."""
    payload = {**text_of("hi"), "mentions": ["bob"]}
    await ann.do("send", payload)
    await ann.do("send", payload)
    assert await unread(bob) == 1


async def test_deleted_and_edited_messages_mention_as_they_are(
    ann: Member, bob: Member
) -> None:
    """A deletion takes mentions back; an edit adds new ones and takes others off."""
    first = await say(ann, "bob")
    everybody = await say(ann, mentionAll=True)
    assert await unread(bob) == 2
    for number in (first, everybody):
        await ann.do("delete", {"room": "42", "message": number})
    assert await unread(bob) == 0
    plain = await say(ann)
    for mentions, expected in ((["bob"], 1), (["bob", "ann"], 1), ([], 0)):
        await ann.do(
            "edit",
            {
                "room": "42",
                "message": plain,
                "clientId": f"e{len(mentions)}",
                "text": f"now {mentions}",
                "mentions": mentions,
            },
        )
        assert await unread(bob) == expected


async def test_who_quits_takes_their_mentions_along(
    ann: Member, bob: Member, redis_server: RedisServer
) -> None:
    """Who comes back begins anew, and nothing is left of who does not."""
    await say(ann, "bob")
    await bob.do("quit", {"room": "42"})
    assert not redis_server.admin.exists("{chatroom-42}:mentions")
    await say(ann, "bob")
    await bob.join()
    assert await unread(bob) == 0


async def test_a_mention_while_somebody_joins_is_counted(
    ann: Member, bob: Member
) -> None:
    """Whether the ack or the broadcast brings the message, the number fits."""
    await bob.do("leave", {"room": "42"})
    for expected in range(1, 20):
        await ann.sio.emit(
            "send", {**text_of("hi"), "mentions": ["bob"]}, namespace="/chat"
        )
        ack = await bob.join()
        shown = sum("mentions" in each for each in bob.seen["42"])
        # The ack counts what stands in it, and what came with it.
        assert ack["unreadMentions"] in (shown, shown - 1)
        while len(bob.seen["42"]) < expected:
            await bob.next("message")
    assert await unread(bob) == 19


async def test_old_mentions_leave_with_the_history(
    redis_url: str, redis_server: RedisServer
) -> None:
    """What nobody reads does not grow without end."""
    async with (
        run_nodes(1, redis_url, history_messages=100) as (node,),
        member(node, "ann", "42") as ann,
        member(node, "bob", "42") as bob,
    ):
        for _ in range(130):
            await say(ann, "bob")
            await say(ann, mentionAll=True)
        # Of a hundred messages each second one.
        assert redis_server.admin.zcard("{chatroom-42}:mentions") <= 51
        assert redis_server.admin.zcard("{chatroom-42}:mentionsAll") == 50
        assert 100 <= await unread(bob) <= 101


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"mentions": ["ann", "ann"]}, "mentions.1"),
        ({"mentions": [f"u{n}" for n in range(51)]}, "mentions"),
        ({"mentionAll": 1}, "mentionAll"),
        ({"silent": "yes"}, "silent"),
        ({"data": [1]}, "data"),
        ({"data": {"a": "x" * 4096}}, "data"),
        ({"data": {"a": {"b": {"c": {"d": {"e": {}}}}}}}, "data"),
        ({"data": {"a": list(range(1500))}}, "data"),
        ({"data": {"a": 2**53}}, "data"),
        ({"data": {"a": b"x"}}, "data"),
        ({"data": {"a\ud800": 1}}, "data"),
        ({"replyTo": 1}, "replyTo"),
        ({"replyTo": 2**52}, "replyTo"),
        ({"replyTo": 0}, "replyTo"),
    ],
)
async def test_what_is_wrong_is_named(
    ann: Member, members: dict[str, object], field: str
) -> None:
    """And nothing of it is stored."""
    error = await ann.refused("send", {**text_of("hi"), **members})
    assert error["code"] == "invalid"
    assert field in error["fields"]
    assert (await ann.do("history", {"room": "42"}))["messages"] == []


async def test_an_answer_is_to_a_message_that_one_may_see(
    three: list[Node], ann: Member, bob: Member, redis_server: RedisServer
) -> None:
    """Not to one of before one came, where that is hidden, nor to a deleted one."""
    first, second = await say(ann), await say(ann)
    await bob.do("send", {**text_of("yes"), "replyTo": first})
    redis_server.admin.hset(
        "{chatroom-42}:members", "bob", '{"role":"member","since":2}'
    )
    hidden = await bob.refused("send", {**text_of("yes"), "replyTo": first})
    await bob.do("send", {**text_of("yes"), "replyTo": second})
    await ann.do("delete", {"room": "42", "message": second})
    stored = {**text_of("again"), "replyTo": first}
    await ann.do("send", stored)
    gone = await ann.refused("send", {**text_of("no"), "replyTo": second})
    assert hidden == gone
    assert list(gone["fields"]) == ["replyTo"]
    # What was stored stays so, whatever became of what it answers.
    await ann.do("delete", {"room": "42", "message": first})
    assert (await ann.do("send", stored))["duplicate"] is True


async def test_data_is_passed_on_as_it_is(
    three: list[Node], ann: Member, bob: Member
) -> None:
    """Live and in the history; the server looks at nothing in it."""
    data = {"kind": "poll", "é": [1.5, None, True, {"url": "/images/x"}], "rev": 7}
    await ann.do("send", {**text_of("vote"), "data": data, "silent": True})
    live = await bob.next("message")
    (kept,) = (await bob.do("history", {"room": "42"}))["messages"]
    for each in (live, kept):
        assert (each["data"], each["silent"]) == (data, True)
    await ann.do("send", {**text_of("next"), "silent": False, "mentionAll": False})
    assert not {"silent", "mentionAll"} & (await bob.next("message")).keys()
