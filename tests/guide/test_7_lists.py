"""Lists: one's rooms, alike and live on all devices."""

from tests.kit.nodes import Node
from tests.kit.recording import RecordingClient, recording


async def write(client: RecordingClient, room: str, text: str) -> None:
    """Send a text, named by itself."""
    hi = {"room": room, "clientId": text, "type": "text", "text": text}
    await client.do("send", hi)


async def test_list_rooms_by_their_last_message(
    ann: RecordingClient, bob: RecordingClient
) -> None:
    """`sort: "recent"` puts what was written in last first; `next` leads on."""
    for room in ("a", "b", "c"):
        for client in (ann, bob):
            await client.do("join", {"room": room})
    for room in ("c", "a", "b"):
        await write(bob, room, "hi")
    page = await ann.do("rooms", {"sort": "recent", "limit": 2})
    assert [each["room"] for each in page["rooms"]] == ["b", "a"]
    assert page["rooms"][0]["at"] == page["rooms"][0]["newest"]["at"]
    rest = await ann.do("rooms", {"cursor": page["next"]})
    assert ([each["room"] for each in rest["rooms"]], rest["more"]) == (["c"], False)


async def test_mute_pin_and_archive_on_all_devices(
    ann: RecordingClient, anns_phone: RecordingClient
) -> None:
    """`me` follows what becomes of one's rooms; each event has all settings."""
    await ann.do("join", {"room": "42"})
    followed = await anns_phone.do("me", {"list": True})
    assert [each["room"] for each in followed["rooms"]] == ["42"]
    await ann.do("room_mine", {"room": "42", "muted": True})
    told = await anns_phone.next("room_mine")
    assert (told["room"], told["muted"], told["pinned"]) == ("42", True, False)
    archived = await ann.do("room_mine", {"room": "42", "archived": True})
    assert (archived["muted"], archived["archived"]) == (True, True)
    (listed,) = (await ann.do("rooms", {"filter": "archived"}))["rooms"]
    assert (listed["room"], listed["push"]) == ("42", "all")


async def test_come_and_go_on_all_devices(
    ann: RecordingClient, anns_phone: RecordingClient
) -> None:
    """A room that was joined or left on one device is so on the others."""
    await anns_phone.do("me")
    await ann.do("join", {"room": "42"})
    assert (await anns_phone.next("room_added"))["room"] == "42"
    await ann.do("quit", {"room": "42"})
    assert (await anns_phone.next("room_removed"))["reason"] == "quit"


async def test_read_on_one_device_is_read_on_all(
    ann: RecordingClient, anns_phone: RecordingClient, bob: RecordingClient
) -> None:
    """And what is marked as unread stays marked until it is read."""
    for client in (ann, bob):
        await client.do("join", {"room": "42"})
    await write(bob, "42", "hi")
    await anns_phone.do("me")
    await ann.do("mark_unread", {"room": "42", "on": True})
    assert (await anns_phone.next("room_mine"))["markedUnread"] is True
    await ann.do("mark_read", {"room": "42", "message": 1})
    assert (await anns_phone.next("room_mine"))["markedUnread"] is False
    assert (await anns_phone.next("read_mine"))["lastReadMessage"] == 1


async def test_hear_of_messages_in_rooms_that_are_not_open(
    ann: RecordingClient, anns_phone: RecordingClient, bob: RecordingClient
) -> None:
    """A device that follows need not `join` a room to show its newest message."""
    for client in (ann, bob):
        await client.do("join", {"room": "42"})
    await anns_phone.do("me")
    await write(bob, "42", "hi")
    (news,) = (await anns_phone.next("rooms_changed"))["rooms"]
    assert (news["room"], news["lastMessage"], news["newest"]["text"]) == (
        *("42", 1, "hi"),
    )


async def test_come_back_to_ones_own_log(node: Node, ann: RecordingClient) -> None:
    """With the cursor that a device kept it gets what it missed, and no more."""
    async with recording(node, "ann") as phone:
        cursor = (await phone.do("me"))["cursor"]
    await ann.do("join", {"room": "42"})
    async with recording(node, "ann") as phone:
        back = await phone.do("me", {"cursor": cursor})
    assert back["recovered"]
    assert [name for name, _ in back["events"]] == ["room_added"]
    assert back["cursor"].startswith("1:")


async def test_roles_and_blocks_are_told_to_all_devices(
    ann: RecordingClient, anns_phone: RecordingClient, bob: RecordingClient
) -> None:
    """What others make of the user, and of a room, comes the same way."""
    await anns_phone.do("me")
    made = {"kind": "private", "name": "가족", "users": ["ann"], "clientId": "c1"}
    room = (await bob.do("room_create", made))["room"]
    assert (await anns_phone.next("room_added"))["room"] == room
    (entry,) = (await ann.do("rooms"))["rooms"]
    assert (entry["name"], entry["kind"], entry["role"]) == (
        *("가족", "private", "member"),
    )
    await bob.do("member_set", {"room": room, "user": "ann", "role": "moderator"})
    assert (await anns_phone.next("role"))["role"] == "moderator"
    await bob.do("room_delete", {"room": room})
    assert (await anns_phone.next("room_removed"))["reason"] == "deleted"
    await ann.do("block", {"user": "bob", "on": True})
    assert (await anns_phone.next("block"))["on"] is True
