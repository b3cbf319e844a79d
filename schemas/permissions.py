"""Who may do what in a room: the rules of the scripts as one table.

The scripts judge, by the role that the actor has when they run. A test asks for each
cell of this table at a node; ``docs/protocol.md`` prints it.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

# From below; who is no member is a stranger. An act on a person needs a role above
# theirs.
ROLES: Final = ("stranger", "member", "moderator", "owner")


class Act(NamedTuple):
    """An act in a room.

    Attributes:
        what: For people, as the page says it.
        request: The request.
        payload: What stands for all of its kind, without ``room``. ``{member}``,
            ``{moderator}`` and ``{owner}`` are somebody else of this role.
        least: The least role that may.
    """

    what: str
    request: str
    payload: Mapping[str, Any]
    least: str


PERMISSIONS: Final = (
    Act("see who the members are", "members", {}, "member"),
    Act("add a member", "members_add", {"users": ["new"]}, "moderator"),
    Act(
        "add a moderator or owner",
        "members_add",
        {"users": ["new"], "role": "moderator"},
        "owner",
    ),
    Act("put out a member", "member_remove", {"user": "{member}"}, "moderator"),
    Act(
        "ban a member, or who is none",
        "member_remove",
        {"user": "{member}", "ban": True},
        "moderator",
    ),
    Act(
        "put out or ban a moderator", "member_remove", {"user": "{moderator}"}, "owner"
    ),
    Act("put out or ban an owner", "member_remove", {"user": "{owner}"}, "nobody"),
    Act("end a ban", "unban", {"user": "{member}"}, "moderator"),
    Act(
        "mute a member",
        "member_set",
        {"user": "{member}", "muteSeconds": 5},
        "moderator",
    ),
    Act(
        "mute a moderator",
        "member_set",
        {"user": "{moderator}", "muteSeconds": 5},
        "owner",
    ),
    Act("give a role", "member_set", {"user": "{member}", "role": "owner"}, "owner"),
    Act("name, topic, data", "room_set", {"name": "new"}, "moderator"),
    Act("slow mode, who may invite", "room_set", {"slow": 5}, "moderator"),
    Act(
        "who may write, history for newcomers",
        "room_set",
        {"history": "joined"},
        "owner",
    ),
    Act("make a public room private", "room_set", {"private": True}, "owner"),
    Act("delete the room", "room_delete", {}, "owner"),
    Act("make an invite link", "invite_create", {}, "moderator"),
    Act("report", "report", {"user": "{member}", "reason": "x"}, "member"),
    Act("read reports", "reports", {}, "moderator"),
    Act("read who did what", "audit", {}, "moderator"),
)


def may(role: str, least: str) -> bool:
    """Tell whether a role is enough."""
    return least in ROLES and ROLES.index(role) >= ROLES.index(least)


def table() -> str:
    """Return the table as Markdown."""
    rows = [
        "| act | request | " + " | ".join(ROLES) + " |",
        "|---|---|---|---|---|---|",
    ]
    for act in PERMISSIONS:
        cells = ("yes" if may(role, act.least) else "–" for role in ROLES)
        rows.append(f"| {act.what} | `{act.request}` | {' | '.join(cells)} |")
    return "\n".join(rows)
