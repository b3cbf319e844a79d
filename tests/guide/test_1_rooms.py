"""Rooms: enter one, leave it, give it up.

``ask`` emits an event and returns its ack, ``do`` expects success, ``next`` waits for
a broadcast. See ``tests/kit/recording.py``.
"""

from tests.kit.nodes import Node, run_nodes
from tests.kit.recording import RecordingClient, recording


async def test_join_a_room(ann: RecordingClient) -> None:
    """A room comes into being when somebody joins it; the ack says how it stands."""
    ack = await ann.do("join", {"room": "42"})
    assert ack == {
        "ok": True,
        "room": "42",
        "cursor": "0:",
        "recovered": False,
        "events": [],
        "kind": "public",
        "name": None,
        "topic": None,
        "data": None,
        "role": "owner",
        "since": 1,
        "history": "all",
        "writers": "members",
        "invite": "moderators",
        "slow": 0,
        "rv": 0,
        "mutedUntil": None,
        "lastMessage": 0,
        "lastReadMessage": 0,
        "unread": 0,
        "unreadMentions": 0,
        "pins": [],
        "reads": {"ann": 0},
        "online": ["ann"],
        "onlineCount": 1,
        "memberCount": 1,
    }


async def test_see_who_comes_and_goes(
    node: Node, ann: RecordingClient, bob: RecordingClient
) -> None:
    """`presence` tells of the first session of a user and of the end of the last."""
    await ann.do("join", {"room": "42"})
    await bob.do("join", {"room": "42"})
    assert await ann.next("presence", user="bob") == {
        "room": "42",
        "user": "bob",
        "online": True,
    }
    async with recording(node, "bob") as bobs_phone:
        await bobs_phone.do("join", {"room": "42"})
    await bob.do("leave", {"room": "42"})
    assert (await ann.next("presence", user="bob"))["online"] is False
    # Of her own coming she may be told or not: the ack of join had it.
    others = [payload for _, payload in ann.kept if payload["user"] != "ann"]
    assert not others, "the phone came and went unnoticed"


async def test_see_how_many_belong_to_a_large_room(redis_url: str) -> None:
    """`member_count`, about once a second, instead of who came and went."""
    async with (
        run_nodes(1, redis_url, announce_members=1) as (large,),
        recording(large, "ann") as ann,
        recording(large, "bob") as bob,
    ):
        for client in (ann, bob):
            await client.do("join", {"room": "42"})
        assert await ann.next("member_count") == {"room": "42", "memberCount": 2}


async def test_leave_a_room(ann: RecordingClient, bob: RecordingClient) -> None:
    """After `leave` a session gets nothing more; the user stays a member."""
    for client in (ann, bob):
        await client.do("join", {"room": "42"})
    await bob.do("leave", {"room": "42"})
    await bob.do("leave", {"room": "42"})  # again is fine
    await ann.do("send", {"room": "42", "clientId": "1", "type": "text", "text": "hi"})
    await ann.next("message")
    assert not [event for event, _ in bob.kept if event == "message"]
    (entry,) = (await bob.do("rooms"))["rooms"]
    assert entry["unread"] == 1


async def test_quit_a_room(ann: RecordingClient, bob: RecordingClient) -> None:
    """`quit` ends the membership: the room is off the list, its history closed."""
    for client in (ann, bob):
        await client.do("join", {"room": "42"})
    await bob.do("quit", {"room": "42"})
    assert (await ann.next("presence", user="bob", online=False))["room"] == "42"
    assert (await bob.do("rooms"))["rooms"] == []
    assert (await bob.refused("history", {"room": "42"}))["code"] == "forbidden"


async def test_quit_a_room_on_all_devices(
    ann: RecordingClient, anns_phone: RecordingClient
) -> None:
    """The user's other sessions attend no longer, and are told so."""
    for client in (ann, anns_phone):
        await client.do("join", {"room": "42"})
    await ann.do("quit", {"room": "42"})
    assert await anns_phone.next("membership_ended") == {"room": "42"}
    typing = {"room": "42", "on": True}
    assert (await anns_phone.refused("typing", typing))["code"] == "not_attending"


async def test_list_ones_rooms(ann: RecordingClient, bob: RecordingClient) -> None:
    """`rooms` gives each room of the user: its newest message, and what is unread."""
    for room in ("b", "a"):
        await ann.do("join", {"room": room})
    await bob.do("join", {"room": "b"})
    sent = await bob.do(
        "send", {"room": "b", "clientId": "1", "type": "text", "text": "hi"}
    )
    empty, busy = (await ann.do("rooms"))["rooms"]
    assert (empty["room"], empty["newest"], empty["unread"]) == ("a", None, 0)
    assert (busy["room"], busy["lastMessage"], busy["unread"]) == ("b", 1, 1)
    assert busy["newest"]["text"] == "hi"
    assert busy["newest"]["uid"] == sent["uid"]
