"""What is noted of a user by the application."""

from collections.abc import Awaitable
from typing import Any

from realtime.redis.script import ScriptRunner
from realtime.store.scripts.loading import load

USER_REVOKE = load("user_revoke")


def user_revoke(
    redis: ScriptRunner, *, revoked: str, user: str, keep_seconds: int, limit: int
) -> Awaitable[Any]:
    """Return the Unix second from which on a user's tokens are good; 0: too many."""
    return redis.run_script(USER_REVOKE, (revoked,), (user, keep_seconds, limit))
