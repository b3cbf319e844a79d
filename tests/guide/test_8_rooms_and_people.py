"""Rooms and people: kinds of rooms, roles, moderation.

Who may what is the table of ``docs/protocol.md``.
"""

from tests.kit.recording import RecordingClient


async def private_room(owner: RecordingClient, *users: str) -> str:
    """Make a private room of these people, in which its owner attends."""
    asked = {"kind": "private", "name": "가족", "users": [*users], "clientId": "c1"}
    room: str = (await owner.do("room_create", asked))["room"]
    await owner.do("join", {"room": room})
    return room


async def test_make_a_private_room(ann: RecordingClient, bob: RecordingClient) -> None:
    """Whoever is no member cannot tell it from no room; who is added finds it."""
    room = await private_room(ann)
    assert (await bob.refused("join", {"room": room}))["code"] == "forbidden"
    added = await ann.do("members_add", {"room": room, "users": ["bob"]})
    assert added["added"] == ["bob"]
    assert (await ann.next("member_joined", user="bob"))["by"] == "ann"
    (entry,) = (await bob.do("rooms"))["rooms"]
    assert (entry["room"], entry["name"]) == (room, "가족")
    joined = await bob.do("join", {"room": room})
    assert (joined["role"], joined["kind"]) == ("member", "private")
    assert [name for name, _ in joined["events"]] == [], "no message, nothing unread"


async def test_talk_to_one_person(ann: RecordingClient, bob: RecordingClient) -> None:
    """Two people have one room, whoever makes it; blocking ends it for both."""
    made = await ann.do(
        "room_create", {"kind": "direct", "users": ["bob"], "clientId": "c1"}
    )
    room = made["room"]
    await bob.do("join", {"room": room})
    await ann.do("block", {"user": "bob", "on": True})
    message = {"room": room, "clientId": "1", "type": "text", "text": "hi"}
    assert (await bob.refused("send", message))["reason"] == "blocked"
    assert (await ann.do("blocks"))["users"] == ["bob"]


async def test_change_and_delete_a_room(
    ann: RecordingClient, bob: RecordingClient
) -> None:
    """Everybody hears of it; nothing of it is left."""
    room = await private_room(ann, "bob")
    await bob.do("join", {"room": room})
    await ann.do("room_set", {"room": room, "topic": "travel", "slow": 5})
    changed = await bob.next("room_changed")
    assert (changed["topic"], changed["slow"], changed["name"]) == ("travel", 5, "가족")
    await ann.do("room_delete", {"room": room})
    assert (await bob.next("room_deleted"))["by"] == "ann"
    assert await bob.next("membership_ended") == {"room": room}


async def test_hear_that_a_room_was_made(ann: RecordingClient) -> None:
    """It is the first event of the room: a cursor of the beginning brings it."""
    room = await private_room(ann)
    again = await ann.do("join", {"room": room, "cursor": "0:"})
    ((name, event),) = again["events"]
    assert (name, event["offset"], event["by"]) == ("room_created", 1, "ann")


async def test_give_a_role_mute_and_ban(
    ann: RecordingClient, bob: RecordingClient
) -> None:
    """An owner may; all of it is told to the room, and kept for its moderators."""
    room = await private_room(ann, "bob")
    await bob.do("join", {"room": room})
    bobs = {"room": room, "user": "bob"}
    await ann.do("member_set", {**bobs, "role": "moderator", "muteSeconds": 60})
    assert (await bob.next("member_changed"))["role"] == "moderator"
    listed = (await bob.do("members", {"room": room}))["members"]
    assert [(each["user"], each["role"]) for each in listed] == [
        ("ann", "owner"),
        ("bob", "moderator"),
    ]
    await ann.do("member_remove", {**bobs, "banSeconds": 3600, "reason": "spam"})
    assert (await ann.next("member_left"))["reason"] == "banned"
    assert await bob.next("membership_ended") == {"room": room}
    assert (await bob.refused("join", {"room": room}))["code"] == "forbidden"
    await ann.do("unban", bobs)
    acts = (await ann.do("audit", {"room": room}))["acts"]
    assert [each["act"] for each in acts[:2]] == ["member_unbanned", "member_left"]


async def test_invite_by_a_link(ann: RecordingClient, bob: RecordingClient) -> None:
    """Whoever has the invite becomes a member by it, while it is good."""
    room = await private_room(ann)
    made = await ann.do("invite_create", {"room": room, "uses": 5})
    await bob.do("join", {"room": room, "invite": made["invite"]})
    (left,) = (await ann.do("invites", {"room": room}))["invites"]
    assert left["usesLeft"] == 4
    await ann.do("invite_revoke", {"room": room, "invite": made["invite"]})
    assert (await ann.do("invites", {"room": room}))["invites"] == []


async def test_report_a_message(ann: RecordingClient, bob: RecordingClient) -> None:
    """Moderators read it with the words as they were."""
    room = await private_room(ann, "bob")
    await bob.do("join", {"room": room})
    await ann.do("send", {"room": room, "clientId": "1", "type": "text", "text": "hm"})
    await bob.do("report", {"room": room, "message": 1, "reason": "rude"})
    (report,) = (await ann.do("reports", {"room": room}))["reports"]
    assert (report["by"], report["copy"]["text"]) == ("bob", "hm")
