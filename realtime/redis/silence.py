"""Notices a connection that brings nothing any more, and was ended by nobody."""

from typing import Final

from realtime.redis.connection import RedisConnection, pack

# Part of the silence limit after which Redis is asked for a sign of life: early enough
# that the answer of a healthy but slow server is not waited for in vain.
PING_SHARE: Final = 0.35


class Silence:
    """Asks for a sign of life in silence; gives up when none comes.

    Args:
        seconds: Silence, a ping's answer included, that ends a connection.

    Attributes:
        heard_at: When something came last, in the time of the event loop.
    """

    __slots__ = ("_pinged_at", "_seconds", "heard_at")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.heard_at = 0.0
        self._pinged_at = 0.0

    def begin(self, now: float) -> None:
        """Take note of a new connection."""
        self.heard_at = now
        self._pinged_at = 0.0

    def check(self, connection: RedisConnection, now: float) -> None:
        """Ask, or give the connection up, if it is time to."""
        if self._pinged_at > self.heard_at:
            grace = self._seconds * (1 - PING_SHARE)
            if now - self._pinged_at > grace:
                connection.abort(f"silent for {now - self.heard_at:.1f} s")
        elif now - self.heard_at > self._seconds * PING_SHARE:
            self._pinged_at = now
            connection.write(pack("PING"))
