"""People: rooms of a kind, and who may do what in them."""

from tests.kit.recording import RecordingClient

FAMILY = {"kind": "private", "name": "가족", "users": ["bob"], "clientId": "c1"}


async def test_make_a_private_room(ann: RecordingClient, bob: RecordingClient) -> None:
    """Who is not added cannot come in; repeated, it is the same room."""
    room = (await ann.do("room_create", FAMILY))["room"]
    assert (await ann.do("room_create", FAMILY))["duplicate"] is True
    joined = await bob.do("join", {"room": room})
    assert (joined["name"], joined["role"]) == ("가족", "member")
    assert [name for name, _ in joined["events"]] == []
    back = await bob.do("join", {"room": room, "cursor": "0:"})
    assert [name for name, _ in back["events"]] == ["room_created", "member_joined"]


async def test_add_people_and_see_who_is_there(
    ann: RecordingClient, bob: RecordingClient
) -> None:
    """The first one of a room owns it; others are told who is added."""
    for who in (ann, bob):
        await who.do("join", {"room": "42"})
    added = await ann.do("members_add", {"room": "42", "users": ["bob", "cho"]})
    assert added["added"] == ["cho"]
    told = await bob.next("member_joined")
    assert (told["user"], told["role"], told["by"]) == ("cho", "member", "ann")
    page = await bob.do("members", {"room": "42", "limit": 2})
    assert [(each["user"], each["role"]) for each in page["members"]] == [
        ("ann", "owner"),
        ("bob", "member"),
    ]
    assert page["more"] is True


async def test_change_the_room(ann: RecordingClient, bob: RecordingClient) -> None:
    """Its settings are told whole; with `writers` only moderators may write."""
    for who in (ann, bob):
        await who.do("join", {"room": "42"})
    await ann.do("room_set", {"room": "42", "name": "News", "writers": "moderators"})
    told = await bob.next("room_changed")
    assert (told["name"], told["writers"], told["slow"]) == ("News", "moderators", 0)
    said = {"room": "42", "clientId": "c", "type": "text", "text": "hello"}
    assert (await bob.refused("send", said))["reason"] == "frozen"


async def test_give_a_role_and_mute(ann: RecordingClient, bob: RecordingClient) -> None:
    """Owners give roles; whoever is muted is told until when."""
    for who in (ann, bob):
        await who.do("join", {"room": "42"})
    asked = {"room": "42", "user": "bob"}
    await ann.do("member_set", {**asked, "role": "moderator"})
    assert (await bob.next("member_changed"))["role"] == "moderator"
    muted = await ann.do("member_set", {**asked, "muteSeconds": 60})
    said = {"room": "42", "clientId": "c", "type": "text", "text": "hello"}
    error = await bob.refused("send", said)
    assert (error["reason"], error["until"]) == ("muted", muted["mutedUntil"])


async def test_put_somebody_out(ann: RecordingClient, bob: RecordingClient) -> None:
    """With `banSeconds` they stay out until then, or until `unban`."""
    for who in (ann, bob):
        await who.do("join", {"room": "42"})
    asked = {"room": "42", "user": "bob"}
    await ann.do("member_remove", {**asked, "banSeconds": 3600, "reason": "spam"})
    await bob.next("membership_ended")
    left = await ann.next("member_left")
    assert (left["user"], left["reason"], left["said"]) == ("bob", "banned", "spam")
    assert (await bob.refused("join", {"room": "42"}))["reason"] == "banned"
    await ann.do("unban", asked)
    await bob.do("join", {"room": "42"})


async def test_a_room_of_two(ann: RecordingClient, bob: RecordingClient) -> None:
    """Whoever makes it: there is one for the two of them."""
    made = await ann.do(
        "room_create", {"kind": "direct", "users": ["bob"], "clientId": "c"}
    )
    again = await bob.do(
        "room_create", {"kind": "direct", "users": ["ann"], "clientId": "c"}
    )
    assert made["room"] == again["room"]
