"""The wire protocol of ``/chat`` as one table.

The guard loads payloads by it, the tests hold every event and ack that a client
receives against it, and ``docs/protocol.md`` must name each of its rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from marshmallow import Schema

from schemas import acks, broadcasts, events, moderation, people
from schemas.base import StrictSchema
from schemas.room_state import RoomState

# The Socket.IO namespace of all events here.
NAMESPACE = "/chat"


# The version of what is said there; docs/protocol.md has the history of changes.
PROTOCOL = 2


class Access(Enum):
    """What a user must be to a room before an event is carried out."""

    ANYONE = "anyone"
    """Anyone with a session; the part that carries it out may have rules of its own."""
    MEMBER = "member"
    """A member of the room, whether this session attends it or not."""
    JUDGED = "judged"
    """A member who may do this, which is judged in the step that does it."""
    ATTENDING = "attending"
    """This session has joined the room and not left it."""


@dataclass(frozen=True, slots=True)
class Request:
    """An event from a client.

    Attributes:
        name: The event's name; the handler is ``on_<name>``.
        payload: Loads the one argument.
        ack: What the answer is like when ``ok`` is true; else it is an ``ErrorAck``.
        access: Who may send it.
        bare: Whether it may come without any argument.
    """

    name: str
    payload: StrictSchema
    ack: Schema
    access: Access = Access.ANYONE
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Broadcast:
    """An event from the server.

    Attributes:
        name: The event's name.
        payload: What its one argument is like.
        logged: Whether it is an entry of the room's log, with offset and uid: it is
            then recovered after a gap.
    """

    name: str
    payload: Schema
    logged: bool = False


_REQUESTS = (
    Request("join", events.Join(), acks.JoinAck()),
    Request("sync", events.Sync(), acks.SyncAck()),
    Request("leave", events.Room(), acks.Done()),
    Request("quit", events.Room(), acks.Done()),
    Request("send", events.Send(), acks.SendAck(), Access.ATTENDING),
    Request("edit", events.Edit(), acks.EditAck(), Access.JUDGED),
    Request("delete", events.Delete(), acks.ChangeAck(), Access.JUDGED),
    Request("react", events.React(), acks.ReactAck(), Access.JUDGED),
    Request("pin", events.Pin(), acks.ChangeAck(), Access.JUDGED),
    Request("mark_read", events.MarkRead(), acks.MarkReadAck(), Access.MEMBER),
    Request("typing", events.Typing(), acks.Done(), Access.ATTENDING),
    Request("history", events.History(), acks.HistoryAck(), Access.MEMBER),
    Request("media", events.Media(), acks.MediaAck(), Access.MEMBER),
    Request("reads", events.Reads(), acks.ReadsAck(), Access.MEMBER),
    Request("users", events.Users(), acks.UsersAck(), Access.MEMBER),
    Request("rooms", events.Rooms(), acks.RoomsAck(), bare=True),
    Request("room_create", people.RoomCreate(), acks.RoomCreateAck()),
    Request("room_set", people.RoomSet(), acks.Done()),
    Request("room_delete", events.Room(), acks.Done()),
    Request("members", people.Members(), acks.MembersAck(), Access.MEMBER),
    Request("members_add", people.MembersAdd(), acks.MembersAddAck()),
    Request("member_remove", people.MemberRemove(), acks.MemberRemoveAck()),
    Request("unban", people.Unban(), acks.Done()),
    Request("member_set", people.MemberSet(), acks.MemberSetAck()),
    Request("invite_create", moderation.InviteCreate(), moderation.InviteAck()),
    Request("invite_revoke", moderation.InviteRevoke(), acks.Done()),
    Request("invites", events.Room(), moderation.InvitesAck()),
    Request("report", moderation.Report(), acks.Done()),
    Request("reports", moderation.Notes(), moderation.ReportsAck()),
    Request("audit", moderation.Notes(), moderation.AuditAck()),
    Request("block", moderation.Block(), acks.Done()),
    Request("blocks", moderation.Blocks(), moderation.BlocksAck(), bare=True),
    Request("me", events.Me(), acks.MeAck(), bare=True),
    Request("room_mine", events.RoomMine(), acks.MineAck(), Access.MEMBER),
    Request("mark_unread", events.MarkUnread(), acks.MineAck(), Access.MEMBER),
    Request("refresh", events.Refresh(), acks.RefreshAck()),
)

_BROADCASTS = (
    *(
        Broadcast(name, payload, logged=True)
        for name, payload in broadcasts.LOG_EVENTS.items()
    ),
    Broadcast("reactions", broadcasts.Reactions()),
    Broadcast("read", broadcasts.Read()),
    Broadcast("typing", broadcasts.Typing()),
    Broadcast("presence", broadcasts.Presence()),
    Broadcast("member_count", broadcasts.MemberCount()),
    Broadcast("state", RoomState()),
    Broadcast("membership_ended", broadcasts.MembershipEnded()),
    Broadcast("hello", broadcasts.Hello()),
    *(Broadcast(*each) for each in broadcasts.PERSONAL_EVENTS.items()),
    Broadcast("rooms_changed", broadcasts.RoomsChanged()),
    Broadcast("me_reload", broadcasts.MeReload()),
    Broadcast("closing", broadcasts.Closing()),
    Broadcast("service", broadcasts.Service()),
    Broadcast("token_expired", broadcasts.TokenExpired()),
    Broadcast("reload", broadcasts.Reload()),
)

REQUESTS: Final[Mapping[str, Request]] = MappingProxyType(
    {each.name: each for each in _REQUESTS}
)
BROADCASTS: Final[Mapping[str, Broadcast]] = MappingProxyType(
    {each.name: each for each in _BROADCASTS}
)
ERROR_ACK: Final = acks.ErrorAck()
