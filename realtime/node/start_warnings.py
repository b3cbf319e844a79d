"""What an operator should know at the start, though the node can run with it."""

import resource
from collections.abc import Iterator
from typing import Final

from realtime.node.settings import Settings

# Files and sockets of a node beside its connections: Redis, images, pipes, Python.
OTHER_DESCRIPTORS: Final = 200


def start_warnings(settings: Settings) -> Iterator[str]:
    """Yield sentences, each with what to do about it."""
    if settings.jwks_url and settings.jwt_audience is None:
        yield (
            "CHATROOM_JWKS_URL is set without CHATROOM_JWT_AUDIENCE: tokens that the"
            " identity provider signs for any other application are accepted, too."
        )
    allowed = raise_descriptor_limit()
    wanted = settings.node_sessions + settings.node_unauthenticated + OTHER_DESCRIPTORS
    if allowed < wanted:
        yield (
            f"This process may have {allowed} files open, and the settings allow"
            f" connections that need {wanted}: raise the limit (LimitNOFILE=, ulimit"
            " -Hn), or lower CHATROOM_NODE_SESSIONS and CHATROOM_NODE_UNAUTHENTICATED."
        )


def raise_descriptor_limit() -> int:
    """Raise the limit of open files as far as this user may; return what it is then.

    The usual 1,024 are there for programs that use ``select``, which nothing here does.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (ValueError, OSError):
            # macOS has a lower limit than it says: it stays as it was.
            return soft
    return soft
