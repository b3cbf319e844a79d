"""Every Redis key and channel name, built here and nowhere else.

All keys of a room share the hash tag ``{chatroom-<id>}``, and the room's channel
``chatroom-<id>`` hashes to the same slot: one script reaches the keys and the channel
of a room, in Redis Cluster as well.
"""

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, unquote

from realtime.redis.channels import wire_name

# What a room's channel, which is its Socket.IO room as well, begins with.
CHANNEL_PREFIX = "chatroom-"

# What a user's channel begins with. It is no room's: ``chatroom-user-ann`` is that of
# the room ``user-ann``.
PERSONAL_PREFIX = "user-"

# Pub/Sub channel of what concerns all nodes.
CONTROL_CHANNEL = "chatroom"

# What the channel of one node begins with, for what concerns a session of it.
NODE_PREFIX = "node-"

# Rooms and users whose keys are remembered: some 10 MB.
KEPT_APPEND_KEYS = 10_000

# Sorted set: node id, scored by the end of its lease in Unix ms.
NODES = "chatroom:nodes"

# Sorted set: rooms by their ids, all scored 0; some of them may have ended.
ROOMS = "chatroom:rooms"

# Hash: API key id to what is known of it, JSON.
API_KEYS = "chatroom:keys"

# Sorted set with a TTL: user, by the first Unix second whose tokens are good.
REVOKED = "chatroom:revoked"

# String: the secret that nodes without a configured one share.
SHARED_SECRET = "chatroom:secret"  # noqa: S105 - the name of a key

# String with a TTL: what the nodes publish with.
PUBLISHING = "chatroom:publishing"

# Hash: id of an endpoint of webhooks to what is known of it, JSON.
HOOKS = "chatroom:hooks"

# Sorted set: room whose events may have to be passed on, to when it is looked at.
OUTBOX = "chatroom:outbox"

# Sorted set: ``<room> <message>`` to when it is seen who has not read it, in Unix ms.
PUSHES = "chatroom:pushes"


def channel(room: str) -> str:
    """Return the Pub/Sub channel of a room; also its Socket.IO room name."""
    return CHANNEL_PREFIX + room


def wire_channel(room: str, database: int) -> str:
    """Return what a room's channel is called in Redis."""
    return wire_name(channel(room), database)


def room_of_channel(name: str) -> str:
    """Return the room id that :func:`channel` was given."""
    return name.removeprefix(CHANNEL_PREFIX)


def node_channel(mark: str) -> str:
    """Return the Pub/Sub channel of the nodes with a mark: one, as a rule."""
    return NODE_PREFIX + mark


def _room_key(room: str, part: str) -> str:
    return f"{{{CHANNEL_PREFIX}{room}}}:{part}"


def room_keys(part: str) -> str:
    """Return a pattern for ``SCAN``: keys of all rooms whose names match one."""
    return _room_key("*", part)


def log(room: str) -> str:
    """Stream: the recent events, entry ids ``<offset>-0``."""
    return _room_key(room, "log")


def messages(room: str) -> str:
    """Hash: message number to the message in its present state, JSON."""
    return _room_key(room, "messages")


def deleted(room: str) -> str:
    """Sorted set: numbers of deleted messages, scored by themselves."""
    return _room_key(room, "deleted")


def mentions(room: str) -> str:
    """Sorted set of ``<user, quoted>:<number, 16 digits>``, all scored 0."""
    return _room_key(room, "mentions")


def mentions_all(room: str) -> str:
    """Sorted set: numbers of messages that mention everybody, by number."""
    return _room_key(room, "mentionsAll")


def media(room: str) -> str:
    """Sorted set: numbers of messages with images, scored by themselves."""
    return _room_key(room, "media")


def reactions(room: str) -> str:
    """Hash: message number to ``<rev> <counts by key, JSON>``."""
    return _room_key(room, "reactions")


def reactors(room: str) -> str:
    """Sorted set of ``<number, 16 digits>:<key, quoted>:<user>``, all scored 0."""
    return _room_key(room, "reactors")


def pins(room: str) -> str:
    """Sorted set: numbers of pinned messages, by the offset of their ``pin``."""
    return _room_key(room, "pins")


def meta(room: str) -> str:
    """Hash: ``offset``, ``uid``, ``lastMessage``, ``firstMessage``, ``name`` ..."""
    return _room_key(room, "meta")


def last_read(room: str) -> str:
    """Sorted set: users by ``lastReadMessage``."""
    return _room_key(room, "lastRead")


def members(room: str) -> str:
    """Hash: user to role and time of joining, JSON."""
    return _room_key(room, "members")


def member_ids(room: str) -> str:
    """Sorted set: the members, all scored 0, so that they are read in pages."""
    return _room_key(room, "memberIds")


def slow(room: str) -> str:
    """Sorted set with a TTL: who wrote lately in slow mode, by when they may again."""
    return _room_key(room, "slow")


def staff(room: str) -> str:
    """Sorted set: owners and moderators, by since when in Unix ms."""
    return _room_key(room, "staff")


def bans(room: str) -> str:
    """Sorted set: who may not come, by until when in Unix ms."""
    return _room_key(room, "bans")


def invites(room: str) -> str:
    """Hash with a TTL: an invite's token to its end, uses, time and maker."""
    return _room_key(room, "invites")


def reports(room: str) -> str:
    """Stream with a TTL: what members told the moderators, JSON."""
    return _room_key(room, "reports")


def audit(room: str) -> str:
    """Stream with a TTL: what was done to the room and its people, events."""
    return _room_key(room, "audit")


def ended(room: str) -> str:
    """Stream with a TTL: events of a deleted room that are to be passed on."""
    return _room_key(room, "ended")


def blocks(room: str) -> str:
    """Set: which of a direct room's two block the other; it may be there before."""
    return _room_key(room, "blocks")


def quits(room: str) -> str:
    """Sorted set with a TTL: who quit lately, by Unix seconds."""
    return _room_key(room, "quits")


def sessions(room: str) -> str:
    """Hash: session id to user, node and device, JSON; over all nodes."""
    return _room_key(room, "sessions")


def online(room: str) -> str:
    """Hash: user to the number of sessions that attend the room."""
    return _room_key(room, "online")


def kept_aside(room: str) -> tuple[str, ...]:
    """Those of :func:`kept` that a script does not look at when somebody enters."""
    return (log(room), messages(room), reactions(room), reactors(room), media(room))


def kept(room: str) -> tuple[str, ...]:
    """All that is a room's, and goes on where somebody comes before it has ended.

    A new one is named here or in :func:`kept_aside`, and in no script.
    """
    return (
        *(meta(room), last_read(room), bans(room), deleted(room), pins(room)),
        *(mentions(room), mentions_all(room), *kept_aside(room)),
    )


def ending(room: str) -> tuple[str, ...]:
    """All that ends with a room: what is kept, and what ends by itself as well."""
    return (
        *kept(room),
        *(sessions(room), online(room), audit(room), reports(room), invites(room)),
    )


class AppendKeys(NamedTuple):
    """What an append needs, of one room and user; ``channel`` as Redis calls it."""

    channel: str
    log: str
    messages: str
    meta: str
    last_read: str
    members: str
    slow: str
    sent_prefix: str


@lru_cache(maxsize=KEPT_APPEND_KEYS)
def append_keys(room: str, user: str, database: int = 0) -> AppendKeys:
    """Return the keys of an append but for the ``clientId``'s, remembered."""
    return AppendKeys(
        channel=wire_channel(room, database),
        log=log(room),
        messages=messages(room),
        meta=meta(room),
        last_read=last_read(room),
        members=members(room),
        slow=slow(room),
        sent_prefix=sent(room, user, ""),
    )


def sent(room: str, user: str, client_id: str) -> str:
    """String with a TTL: the result of a send, by its idempotency key."""
    return _room_key(room, f"sent:{quote(user, safe='')}:{client_id}")


class HookKeys(NamedTuple):
    """What is kept of an endpoint of webhooks.

    Attributes:
        queue: Stream: what it is to be told.
        dead: Stream: what was given up.
        later: Sorted set: entry of the queue to when it is tried again, in Unix ms.
        tries: Hash: entry to how often it was tried.
        state: Hash: ``bytes``, ``deadBytes``, ``failingSince``, ``disabled`` ...
        owner: String with a TTL: the node that delivers.
    """

    queue: str
    dead: str
    later: str
    tries: str
    state: str
    owner: str


@lru_cache(maxsize=100)
def hook(hook_id: str) -> HookKeys:
    """Return the keys of an endpoint."""
    parts = ("queue", "dead", "later", "tries", "state", "owner")
    return HookKeys(*(f"{{hook-{hook_id}}}:{part}" for part in parts))


def user_rooms(user: str) -> str:
    """Set: the rooms that a user is a member of."""
    return f"{{user-{quote(user, safe='')}}}:rooms"


def user_new_rooms(user: str) -> str:
    """String with a TTL: how many rooms a user has put on their list lately."""
    return f"{{user-{quote(user, safe='')}}}:newRooms"


def user_blocks(user: str) -> str:
    """Set: whom a user blocks."""
    return f"{{user-{quote(user, safe='')}}}:blocks"


def user_reports(user: str) -> str:
    """String with a TTL: how many reports a user has made lately."""
    return f"{{user-{quote(user, safe='')}}}:reports"


def user_profile(user: str) -> str:
    """String with a TTL: what others are shown of a user, JSON."""
    return f"{{user-{quote(user, safe='')}}}:profile"


def user_rate(user: str) -> str:
    """String with a TTL: how much of their rate a user has taken, over all nodes."""
    return f"{{user-{quote(user, safe='')}}}:rate"


def personal_channel(user: str) -> str:
    """Return the Pub/Sub channel of a user's personal log, in the slot of its keys."""
    return PERSONAL_PREFIX + quote(user, safe="")


def personal_wire_channel(user: str, database: int) -> str:
    """Return what a user's channel is called in Redis."""
    return wire_name(personal_channel(user), database)


def user_of_channel(name: str) -> str:
    """Return the user whose channel :func:`personal_channel` named so."""
    return unquote(name.removeprefix(PERSONAL_PREFIX))


def personal_log(channel: str) -> str:
    """Stream with a TTL: what a user's devices are told of their rooms."""
    return f"{{{channel}}}:log"


def personal_meta(channel: str) -> str:
    """Hash with a TTL: ``offset`` and ``uid`` of the personal log's last event ..."""
    return f"{{{channel}}}:meta"


def user_mine(user: str) -> str:
    """Hash: a room that the personal log has told of to the user's own settings of it.

    The settings are letters, see :class:`realtime.store.personal_log.Mine`. The field
    of no name says that the rooms of before are among them.
    """
    return f"{{{personal_channel(user)}}}:mine"


def personal_sessions_room(user: str) -> str:
    """Socket.IO room (no channel of its own) of a user's sessions that asked ``me``."""
    return f"me-{user}"


def user_sessions_room(user: str) -> str:
    """Socket.IO room (no channel of its own) of all sessions of a user."""
    return f"user-{user}"


def node_sessions(node: str) -> str:
    """Set: ``<room> <sid>`` of every session that attends a room at a node."""
    return f"{{node-{node}}}:sessions"


# One hash tag for all that is known of images: one script changes what an image is
# shown by and what its user has together.
_IMAGES = "{chatroom:images}"

# Sorted set: image file, scored by when it is looked at next, in Unix ms.
IMAGES_DUE = f"{_IMAGES}:due"

# Hash: user to the bytes of the images that their messages show.
IMAGES_BYTES = f"{_IMAGES}:bytes"


# Likewise of jobs: one script begins one, and keeps how far it is.
_JOBS = "{chatroom:jobs}"

# Sorted set: job that waits or is under way, to when somebody looks at it, in Unix ms.
JOBS_DUE = f"{_JOBS}:due"

# Sorted set: job, to when it is forgotten, in Unix ms.
JOBS_KNOWN = f"{_JOBS}:known"


def job_state(job: str) -> str:
    """Hash with a TTL: what a job is, and how far."""
    return f"{_JOBS}:{job}:state"


def job_result(job: str) -> str:
    """Stream with a TTL: what a job made, in compressed chunks."""
    return f"{_JOBS}:{job}:result"


def upload(upload_id: str) -> str:
    """String with a TTL: an image that was uploaded and not sent yet, JSON."""
    return f"chatroom:upload:{upload_id}"


def image_uses(name: str) -> str:
    """Hash: a message that shows an image file to ``<bytes> <number> <Unix ms>``."""
    return f"{_IMAGES}:{name}:uses"
