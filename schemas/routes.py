"""The HTTP API as one table: each route carries out a request of the catalogue.

The path's and the query's values, the body's fields and ``Idempotency-Key`` together
are the request's payload, by the same schema as over a socket; the answer is its ack
without ``ok``. ``docs/api.md`` must name each row; ``/api/openapi.json`` is made of it.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from schemas.api import API_REQUESTS
from schemas.catalog import REQUESTS, Request
from schemas.people import LONGEST_SECONDS

# Under this path are all routes.
PREFIX: Final = "/api"

# A part of a path that is a field of the payload.
FIELD: Final = re.compile(r"\{(\w+)\}")

# The field of the payload that `Idempotency-Key` is.
CLIENT_ID: Final = "clientId"


class Scope(StrEnum):
    """What an API key may be allowed to do."""

    READ = "read"
    """Read rooms, their members and messages."""
    WRITE = "write"
    """Send messages and edit its own, react."""
    ROOMS = "rooms"
    """Make, change and delete rooms, add members, give roles, invite."""
    MODERATE = "moderate"
    """Delete and pin messages, put out, ban and mute, read reports and who did what."""
    USERS = "users"
    """See a user's rooms and presence, and end their sessions and tokens."""
    USERS_DATA = "users:data"
    """Export and erase all that there is of a user."""
    HOOKS = "hooks:manage"
    """See and change endpoints of webhooks, in all rooms, and try them out."""
    USERS_ACT = "users:act"
    """Act as the user that ``X-Chat-User`` names, by that user's rights."""


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the API.

    Attributes:
        method: The HTTP method.
        path: Behind :data:`PREFIX`, with the payload's fields in braces.
        request: The request that it carries out, of the catalogue or of this API alone.
        scope: What a key needs; None: only a user may ask, or a key for one.
        summary: One sentence for the documentation.
        query: Fields of the payload that the query may have.
        has_body: Whether the other fields come as a JSON object.
        lists: Fields of the path that are the one item of a list, by the list's field.
        needs: Fields that the body must have here.
        without: Fields of the payload that the body may not have.
        fixed: Fields of the payload that the route itself says.
        defaults: What fields are where they are left out.
        is_idempotent: Whether ``Idempotency-Key`` is its ``clientId``.
        created: The status of an answer that is no repetition.
        is_upload: Whether the body is an image, as ``multipart/form-data``.
        is_download: Whether the answer is a stream of lines of JSON.
        any_key: Whether a key may ask whatever its scopes are.
        across_rooms: Whether it concerns rooms that the path does not name: a key for
            some rooms only may not.
        for_keys: Whether a key alone may ask, by its scope, whoever it acts as: users
            have no such right themselves.
    """

    method: str
    path: str
    request: str
    scope: Scope | None
    summary: str
    query: tuple[str, ...] = ()
    has_body: bool = False
    lists: dict[str, str] = field(default_factory=dict)
    needs: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    fixed: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    is_idempotent: bool = False
    created: int = 200
    is_upload: bool = False
    is_download: bool = False
    any_key: bool = False
    across_rooms: bool = False
    for_keys: bool = False

    @property
    def asked(self) -> Request:
        """The request's row."""
        return API_REQUESTS.get(self.request) or REQUESTS[self.request]

    @property
    def path_fields(self) -> tuple[str, ...]:
        """The fields of the path, in its order."""
        return tuple(FIELD.findall(self.path))

    @property
    def body_fields(self) -> tuple[str, ...]:
        """The fields that the body may have."""
        elsewhere = {self.lists.get(name, name) for name in self.path_fields}
        elsewhere |= {*self.query, *self.fixed, *self.without, CLIENT_ID}
        fields = self.asked.payload.fields if self.has_body else ()
        return tuple(name for name in fields if name not in elsewhere)


def _data(method: str, path: str, request: str, summary: str) -> Route:
    """Return a route about all that there is of a user."""
    return Route(
        *(method, path, request, Scope.USERS_DATA, summary),
        created=202 if method == "POST" else 200,
        is_download=path.endswith("/result"),
        across_rooms=True,
        for_keys=True,
    )


def _hooks(method: str, path: str, request: str, summary: str, **more: Any) -> Route:
    """Return a route of endpoints of webhooks."""
    return Route(
        *(method, f"/hooks{path}", request, Scope.HOOKS, summary),
        across_rooms=True,
        for_keys=True,
        **more,
    )


ROUTES: Final = (
    # Rooms.
    Route(
        "POST",
        "/chats",
        "room_create",
        Scope.ROOMS,
        "Make a room.",
        has_body=True,
        is_idempotent=True,
        created=201,
        across_rooms=True,
    ),
    Route(
        "GET",
        "/chats",
        "chats",
        Scope.READ,
        "List the rooms that the key is for.",
        query=("after", "limit", "kind"),
        for_keys=True,
    ),
    Route("GET", "/chats/{room}", "room", Scope.READ, "Read a room's settings."),
    Route(
        "PATCH",
        "/chats/{room}",
        "room_set",
        Scope.ROOMS,
        "Change a room's settings.",
        has_body=True,
    ),
    Route("DELETE", "/chats/{room}", "room_delete", Scope.ROOMS, "Delete a room."),
    # Messages.
    Route(
        "POST",
        "/chats/{room}/message",
        "send",
        Scope.WRITE,
        "Send a message.",
        has_body=True,
        is_idempotent=True,
        created=201,
    ),
    Route(
        "GET",
        "/chats/{room}/messages",
        "history",
        Scope.READ,
        "Read a page of messages by number.",
        query=("before", "after", "around", "at", "limit"),
    ),
    Route(
        "GET",
        "/chats/{room}/media",
        "media",
        Scope.READ,
        "Read a page of messages with images, the newest first.",
        query=("before", "limit"),
    ),
    Route(
        "GET",
        "/chats/{room}/messages/{message}",
        "message",
        Scope.READ,
        "Read a message.",
    ),
    Route(
        "GET",
        "/chats/{room}/messages/{message}/unread",
        "reads",
        Scope.READ,
        "Read how many have not read a message.",
        lists={"message": "messages"},
    ),
    Route(
        "PATCH",
        "/chats/{room}/messages/{message}",
        "edit",
        Scope.WRITE,
        "Give an own message new words.",
        has_body=True,
        is_idempotent=True,
    ),
    Route(
        "DELETE",
        "/chats/{room}/messages/{message}",
        "delete",
        Scope.MODERATE,
        "Delete a message.",
        query=("reason",),
    ),
    Route(
        "PUT",
        "/chats/{room}/messages/{message}/reactions/{key}",
        "react",
        Scope.WRITE,
        "React to a message.",
        fixed={"on": True},
    ),
    Route(
        "DELETE",
        "/chats/{room}/messages/{message}/reactions/{key}",
        "react",
        Scope.WRITE,
        "Take a reaction back.",
        fixed={"on": False},
    ),
    Route(
        "PUT",
        "/chats/{room}/pins/{message}",
        "pin",
        Scope.MODERATE,
        "Pin a message.",
        fixed={"on": True},
    ),
    Route(
        "DELETE",
        "/chats/{room}/pins/{message}",
        "pin",
        Scope.MODERATE,
        "Take a pin off.",
        fixed={"on": False},
    ),
    Route(
        "PUT",
        "/chats/{room}/read",
        "mark_read",
        None,
        "Say how far the user has read.",
        has_body=True,
    ),
    # People.
    Route(
        "GET",
        "/chats/{room}/members",
        "members",
        Scope.READ,
        "List a room's members.",
        query=("after", "limit"),
    ),
    Route(
        "GET",
        "/chats/{room}/users/{user}",
        "users",
        Scope.READ,
        "Read what a member is called.",
        lists={"user": "users"},
    ),
    Route(
        "POST",
        "/chats/{room}/members",
        "members_add",
        Scope.ROOMS,
        "Add members.",
        has_body=True,
    ),
    Route(
        "PUT",
        "/chats/{room}/members/{user}",
        "members_add",
        Scope.ROOMS,
        "Add a member.",
        has_body=True,
        lists={"user": "users"},
    ),
    Route(
        "PATCH",
        "/chats/{room}/members/{user}",
        "member_set",
        Scope.ROOMS,
        "Give a member a role.",
        has_body=True,
        needs=frozenset({"role"}),
        without=frozenset({"muteSeconds"}),
    ),
    Route(
        "DELETE",
        "/chats/{room}/members/{user}",
        "member_remove",
        Scope.MODERATE,
        "Put a member out.",
        query=("reason",),
    ),
    Route(
        "PUT",
        "/chats/{room}/bans/{user}",
        "member_remove",
        Scope.MODERATE,
        "Ban a user, for ever without banSeconds.",
        has_body=True,
        fixed={"ban": True},
    ),
    Route("DELETE", "/chats/{room}/bans/{user}", "unban", Scope.MODERATE, "End a ban."),
    Route(
        "PUT",
        "/chats/{room}/mutes/{user}",
        "member_set",
        Scope.MODERATE,
        "Keep a member from writing, for ever without muteSeconds.",
        has_body=True,
        without=frozenset({"role"}),
        defaults={"muteSeconds": LONGEST_SECONDS},
    ),
    Route(
        "DELETE",
        "/chats/{room}/mutes/{user}",
        "member_set",
        Scope.MODERATE,
        "Let a member write again.",
        fixed={"muteSeconds": 0},
    ),
    Route(
        "POST",
        "/chats/{room}/invites",
        "invite_create",
        Scope.ROOMS,
        "Make an invite link.",
        has_body=True,
        created=201,
    ),
    Route("GET", "/chats/{room}/invites", "invites", Scope.ROOMS, "List invite links."),
    Route(
        "DELETE",
        "/chats/{room}/invites/{invite}",
        "invite_revoke",
        Scope.ROOMS,
        "End an invite link.",
    ),
    Route(
        "POST",
        "/uploads",
        "upload",
        Scope.WRITE,
        "Upload an image, to be sent by its id.",
        is_upload=True,
        created=201,
    ),
    # What moderators read.
    Route(
        "POST",
        "/chats/{room}/reports",
        "report",
        None,
        "Report a message or a user to the moderators.",
        has_body=True,
        created=201,
    ),
    Route(
        "GET",
        "/chats/{room}/reports",
        "reports",
        Scope.MODERATE,
        "Read reports, the newest first.",
        query=("before", "limit"),
    ),
    Route(
        "GET",
        "/chats/{room}/audit",
        "audit",
        Scope.MODERATE,
        "Read who did what, the newest first.",
        query=("before", "limit"),
    ),
    # The user who asks.
    Route("GET", "/me", "who", None, "Read who asks.", any_key=True),
    Route(
        "GET",
        "/me/chats",
        "rooms",
        None,
        "List the user's rooms.",
        query=("after", "limit", "sort", "cursor", "filter"),
        across_rooms=True,
    ),
    Route(
        "PATCH",
        "/me/chats/{room}",
        "room_mine",
        None,
        "Change the user's own settings of a room.",
        has_body=True,
    ),
    Route(
        "PUT",
        "/me/chats/{room}/unread",
        "mark_unread",
        None,
        "Mark a room as unread.",
        fixed={"on": True},
    ),
    Route(
        "DELETE",
        "/me/chats/{room}/unread",
        "mark_unread",
        None,
        "Take the mark back.",
        fixed={"on": False},
    ),
    Route("DELETE", "/me/chats/{room}", "quit", None, "Quit a room."),
    Route("GET", "/me/blocks", "blocks", None, "List whom the user blocks."),
    Route(
        "PUT", "/me/blocks/{user}", "block", None, "Block a user.", fixed={"on": True}
    ),
    Route(
        "DELETE",
        "/me/blocks/{user}",
        "block",
        None,
        "Block a user no longer.",
        fixed={"on": False},
    ),
    # Users, for the application.
    Route(
        "GET",
        "/users/{user}/chats",
        "user_rooms",
        Scope.USERS,
        "List a user's rooms.",
        query=("after", "limit", "sort", "cursor", "filter"),
        across_rooms=True,
        for_keys=True,
    ),
    Route(
        "GET",
        "/users/{user}/presence",
        "user_presence",
        Scope.USERS,
        "Read where a user is now.",
        across_rooms=True,
        for_keys=True,
    ),
    Route(
        "POST",
        "/users/{user}/revoke",
        "user_revoke",
        Scope.USERS,
        "End a user's sessions, and refuse their tokens of up to now.",
        across_rooms=True,
        for_keys=True,
    ),
    _data("POST", "/users/{user}/export", "user_export", "Export a user."),
    _data("POST", "/users/{user}/erase", "user_erase", "Erase a user."),
    _data("GET", "/jobs/{job}", "job", "Read how far a job is."),
    _data("GET", "/jobs/{job}/result", "job_result", "Read what was exported."),
    _data("DELETE", "/jobs/{job}", "job_delete", "Forget a job, and its result."),
    # Endpoints of webhooks.
    _hooks("GET", "", "hooks", "List endpoints, and how they fare."),
    _hooks("POST", "", "hook_create", "Make one.", has_body=True, created=201),
    _hooks("GET", "/{hook}", "hook", "Read one."),
    _hooks("PATCH", "/{hook}", "hook_set", "Change or pause one.", has_body=True),
    _hooks("DELETE", "/{hook}", "hook_delete", "Delete one, and what waits for it."),
    _hooks(
        *("POST", "/{hook}/secrets", "hook_secret", "Sign by one more secret."),
        has_body=True,
        created=201,
    ),
    _hooks(
        *("DELETE", "/{hook}/secrets", "hook_secret_only"),
        "Sign by the newest secret alone.",
    ),
    _hooks("POST", "/{hook}/test", "hook_test", "Send one a test.", created=202),
    _hooks(
        *("GET", "/{hook}/dead", "hook_dead", "List what was given up of one."),
        query=("after", "limit"),
    ),
    _hooks(
        *("POST", "/{hook}/replay", "hook_replay"),
        "Tell what was given up again, one event or up to 1,000.",
        has_body=True,
        created=202,
    ),
)
