"""The limits that say no, by name: what ``chatroom_limited_total`` counts.

A name is that of the setting in small letters where there is one.
``docs/limits.md`` says what each answers; limits that are rules of a payload
(``invalid``) are counted by their code.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final

# Name to what is limited.
LIMITS: Final[Mapping[str, str]] = {
    "address_connections": "HTTP connections of one address.",
    "address_sessions": "Sessions of one address.",
    "address_unauthenticated": "Connections of one address that are nobody's yet.",
    "answer_seconds": "Time for a client to take an HTTP answer.",
    "attempts": "Attempts and requests of nobody known, by time.",
    "api_body_bytes": "Bytes of the body of a request to the API.",
    "api_requests": "Requests to the API under way.",
    "body_seconds": "Time for the body of a POST.",
    "connect_seconds": "Time of a connection without a session.",
    "connections": "Connections that come to nothing, by time.",
    "control_messages": "Control messages that wait at a node.",
    "hook_calls": "Messages that the application is asked about.",
    "hook_user_calls": "Messages of a user that the application is asked about.",
    "image_free_bytes": "Bytes of the images' disk that stay free.",
    "image_limit_bytes": "Bytes of an image.",
    "image_limit_frame_pixels": "Pixels of an animation.",
    "image_limit_pixels": "Pixels of an image.",
    "images_waiting": "Images that wait to be checked.",
    "json_characters": "Characters of a packet's JSON.",
    "jwks_stale_seconds": "Age of a key set that cannot be fetched anew.",
    "log_lines": "Lines that wait to be written to the log.",
    "log_repeats": "Lines of one kind in the log, by time.",
    "message_edits": "Edits of a message.",
    "message_reactions": "Different reactions to a message.",
    "node_recent_bytes": "Bytes of recent events in a node's memory.",
    "node_sessions": "Sessions of a node.",
    "node_watched_rooms": "Rooms of lists that a node listens to.",
    "node_unauthenticated": "Connections of a node that are nobody's yet.",
    "payload_limit_bytes": "Bytes of a packet.",
    "payload_packets": "Packets of a POST.",
    "rate_connect": "Connects of a user by time.",
    "rate_connection": "Requests of a connection by time.",
    "rate_event": "Requests of one kind by time.",
    "rate_messages": "Messages of a connection, of whatever kind, by time.",
    "rate_new_rooms": "Rooms that a user became a member of by time.",
    "rate_reactions": "Reactions in a room by time.",
    "rate_refusals": "Answers that tell a user what they may not, by time.",
    "rate_user": "Messages of a user by time.",
    "rate_user_requests": "Requests of a user over all connections by time.",
    "rate_reports": "Reports of a user by time.",
    "redis_calls": "Redis calls under way.",
    "requests_under_way": "Requests of a connection under way.",
    "revoked_users": "Users whose tokens are revoked.",
    "jobs": "Jobs that are known.",
    "room_bans": "Bans of a room.",
    "room_pins": "Pinned messages of a room.",
    "session_rooms": "Rooms of a session.",
    "unauthenticated_bytes": "Bytes held for connections that are nobody's yet.",
    "room_invites": "Invite links of a room.",
    "uploads": "Images that are uploaded over HTTP at a time.",
    "user_blocks": "Users that a user blocks.",
    "user_image_bytes": "Bytes of a user's images.",
    "user_rooms": "Rooms of a user.",
    "user_sessions": "Sessions of a user.",
    "write_buffer_bytes": "Bytes that wait for a client.",
}


def new_counts() -> Counter[str]:
    """Return how often each limit was met: never."""
    return Counter(dict.fromkeys(LIMITS, 0))
