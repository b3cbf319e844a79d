"""A room with two members, and what may happen and be asked for in it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.kit.members import Member, member, text_of
from tests.kit.nodes import Node

ROOM = "the-board"
SECRET_TEXT = "we sell on monday"
MEMBERS = ("ann", "bob")

GUESSED: dict[str, list[dict[str, Any]]] = {
    "room_mine": [{"room": ROOM, "muted": True}, {"room": ROOM, "push": "all"}],
    "mark_unread": [{"room": ROOM, "on": True}, {"room": ROOM, "on": False}],
    "send": [text_of("hello", ROOM), {**text_of("x", ROOM), "replyTo": 1}],
    "typing": [{"room": ROOM, "on": True}],
    "edit": [{"room": ROOM, "message": 1, "clientId": "c", "text": "x"}],
    "delete": [{"room": ROOM, "message": 1}, {"room": ROOM, "message": 2**52}],
    "react": [{"room": ROOM, "message": 1, "key": "x", "on": True}],
    "pin": [{"room": ROOM, "message": 1, "on": True}],
    "mark_read": [{"room": ROOM, "message": 1}, {"room": ROOM, "message": 2**52}],
    "reads": [{"room": ROOM, "messages": [1]}],
    "users": [{"room": ROOM, "users": ["ann", "mallory"]}],
    "history": [
        {"room": ROOM},
        {"room": ROOM, "after": 0, "limit": 100},
        {"room": ROOM, "before": 2},
    ],
    "media": [{"room": ROOM}, {"room": ROOM, "before": 2, "limit": 100}],
    "room_set": [{"room": ROOM, "name": "mine"}],
    "room_delete": [{"room": ROOM}],
    "members": [{"room": ROOM}],
    "members_add": [{"room": ROOM, "users": ["mallory"]}],
    "member_remove": [{"room": ROOM, "user": "ann"}],
    "unban": [{"room": ROOM, "user": "mallory"}],
    "member_set": [{"room": ROOM, "user": "mallory", "role": "owner"}],
    "invite_create": [{"room": ROOM}, {"room": ROOM, "uses": 1}],
    "invite_revoke": [{"room": ROOM, "invite": "A" * 22}],
    "invites": [{"room": ROOM}],
    "report": [
        {"room": ROOM, "message": 1, "reason": "x"},
    ],
    "reports": [{"room": ROOM}],
    "audit": [{"room": ROOM}],
}


@asynccontextmanager
async def members_of_board(nodes: list[Node]) -> AsyncIterator[list[Member]]:
    """Connect Ann and Bob, at two nodes; there is a message, and Bob has seen it."""
    async with (
        member(nodes[0], "ann", ROOM) as ann,
        member(nodes[1], "bob", ROOM) as bob,
    ):
        await ann.send(SECRET_TEXT, ROOM)
        await bob.next("message", text=SECRET_TEXT)
        yield [ann, bob]


async def activity(board: list[Member]) -> None:
    """Do everything in the room that is broadcast to it, and wait for it to arrive."""
    ann, bob = board
    sent = await ann.send("and on tuesday", ROOM)
    await bob.next("message", text="and on tuesday")
    await ann.do("typing", {"room": ROOM, "on": True})
    await bob.next("typing", user="ann")
    await bob.do("mark_read", {"room": ROOM, "message": sent["message"]})
    await ann.next("read", user="bob", lastReadMessage=sent["message"])
    number = {"room": ROOM, "message": sent["message"]}
    await bob.do("react", {**number, "key": "x", "on": True})
    await ann.next("reaction", user="bob")
    await ann.do("edit", {**number, "clientId": f"e{sent['offset']}", "text": "no"})
    await bob.next("message_edited", text="no")
    await ann.do("delete", number)
    await bob.next("message_deleted", message=sent["message"])
    await bob.do("leave", {"room": ROOM})
    await ann.next("presence", user="bob", online=False)
    await bob.join(ROOM)
    await ann.next("presence", user="bob", online=True)
