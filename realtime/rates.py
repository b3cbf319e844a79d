"""Rates: how often something may be done, and who has done it how often.

No I/O and no clock of its own: the generic cell rate algorithm, which needs one number
for what a token bucket keeps in two (ITU-T I.371, annex A).
"""

import re
from collections.abc import Hashable, Mapping
from typing import Final, NamedTuple

from realtime.errors import RateLimitedError

# The rate of all requests of one connection together.
CONNECTION: Final = "connection"

# The rate of messages of one user, over all connections and nodes.
USER: Final = "user"

# The rate at which a user becomes a member of rooms, over all nodes.
NEW_ROOMS: Final = "new_rooms"

# The rate of all requests of one user at a node; four rooms of a ``sync`` are one.
USER_REQUESTS: Final = "user_requests"

# The rate of a user's connects to a node. A refusal is answered after a while:
# a client that connects again and again has to wait, and costs less.
CONNECT: Final = "connect"

# The rate of answers to a user that no client needs to get often (``rate_limited``,
# ``invalid``, ``unknown_event``). A client that goes on is read more slowly.
REFUSALS: Final = "refusals"

# The rate of all messages over a WebSocket, also of those that ask for nothing.
MESSAGES: Final = "messages"

# Seconds for which a connection that goes on after refusals is not read. The 100
# connections that a user may have then cost 100 refusals a second, 1 % of a core.
PENALTY_SECONDS: Final = 1.0

_RATE: Final = re.compile(r"([a-z_]+)=([0-9]+(?:\.[0-9]+)?)/([0-9]+)", re.ASCII)

# Less than this is an error of floating point, not a wait.
ROUNDING_SECONDS: Final = 1e-6

# Entries that are kept before old ones are looked for: some 600 KB.
KEPT_ALWAYS: Final = 4_096


class Rate(NamedTuple):
    """``per_second`` in the long run, ``burst`` at once."""

    per_second: float
    burst: int


class Quota(NamedTuple):
    """What is left of a rate; ``name`` is the rate's, or the event's."""

    name: str
    rate: Rate
    left: float


def parse_rates(text: str, names: frozenset[str]) -> dict[str, Rate]:
    """Return the rates that a setting lists: ``name=per_second/burst, ...``.

    Args:
        text: The list; ``off`` for none.
        names: What may be limited.

    Raises:
        ValueError: Something in it is no rate.
    """
    if text.strip() == "off":
        return {}
    rates = {}
    for part in text.split(","):
        match = _RATE.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"{part.strip()!r} is not name=per_second/burst")
        name, per_second, burst = match[1], float(match[2]), int(match[3])
        if name not in names:
            raise ValueError(f"{name!r} is none of {', '.join(sorted(names))}")
        if per_second <= 0 or burst < 1:
            raise ValueError(f"{name}: both numbers must be above 0")
        rates[name] = Rate(per_second, burst)
    return rates


class Buckets:
    """What has been taken, by anything hashable. Full buckets take no memory."""

    def __init__(self) -> None:
        # The time at which the bucket is full again.
        self._full_at: dict[Hashable, float] = {}
        self._kept = 0

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, name: Hashable, rate: Rate, now: float, *, count: int = 1) -> float:
        """Take from a bucket.

        Args:
            name: The bucket.
            rate: How fast it fills, and what it holds.
            now: Seconds of a clock that never goes back.
            count: How many; no more are counted than the bucket holds.

        Returns:
            Seconds until they can be taken; 0 if they were.
        """
        # Several times a message: comparisons cost half of what min and max do.
        per_second, burst = rate
        full_at = self._full_at.get(name, now)
        if full_at < now:
            full_at = now
        full_at += (count if count < burst else burst) / per_second
        wait = full_at - now - burst / per_second
        if wait > ROUNDING_SECONDS:
            return wait
        if len(self._full_at) > 2 * self._kept + KEPT_ALWAYS:
            self._forget_full(now)
        self._full_at[name] = full_at
        return 0.0

    def taken(self, name: Hashable, rate: Rate, now: float) -> float:
        """Return how many have been taken and not been filled up again."""
        return max(0.0, self._full_at.get(name, now) - now) * rate.per_second

    def empty(self, name: Hashable, rate: Rate, until: float) -> None:
        """Have a bucket hold nothing until a time, and fill up from then on."""
        self._full_at[name] = until + rate.burst / rate.per_second

    def drop(self, name: Hashable) -> None:
        """Forget a bucket that nobody will take from any more."""
        self._full_at.pop(name, None)

    def _forget_full(self, now: float) -> None:
        self._full_at = {
            name: full_at for name, full_at in self._full_at.items() if full_at > now
        }
        self._kept = len(self._full_at)


class RequestRates:
    """The limits of one node on requests, by connection and event.

    Args:
        rates: By event name, :data:`CONNECTION` for all events together,
            :data:`USER_REQUESTS` for all connections together, and :data:`REFUSALS`.
    """

    def __init__(self, rates: Mapping[str, Rate]) -> None:
        self._rates = dict(rates)
        self._buckets = Buckets()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, sid: str, event: str, now: float) -> None:
        """Count one request of a connection.

        Raises:
            RateLimitedError: Too many; it was not counted.
        """
        if wait := self._wait(sid, event, now):
            raise too_many(wait, "rate_event")
        if wait := self._wait(sid, CONNECTION, now):
            raise too_many(wait, "rate_connection")

    def forget(self, sid: str) -> None:
        """Let go of what is kept of a connection that has ended."""
        for name in self._rates:
            self._buckets.drop((sid, name))

    def take_of_user(self, user: str, now: float, *, count: int = 1) -> None:
        """Count requests of a user, over all their connections to this node.

        Raises:
            RateLimitedError: Too many; they were not counted.
        """
        if wait := self._wait(user, USER_REQUESTS, now, count):
            raise too_many(wait, "rate_user_requests")

    def take_connect(self, user: str, now: float) -> None:
        """Count a connect of a user.

        Raises:
            RateLimitedError: Too many; it was not counted.
        """
        if wait := self._wait(user, CONNECT, now):
            raise too_many(wait, "rate_connect")

    def take_refusal(self, user: str, now: float) -> bool:
        """Count a refusal; return False if the user has had too many of them."""
        return not self._wait(user, REFUSALS, now)

    def quota(self, owner: str, name: str, now: float) -> Quota | None:
        """Return what is left of a rate for a connection or user; None: no limit."""
        rate = self._rates.get(name)
        if rate is None:
            return None
        taken = self._buckets.taken((owner, name), rate, now)
        return Quota(name, rate, rate.burst - taken)

    def _wait(self, owner: str, name: str, now: float, count: int = 1) -> float:
        rate = self._rates.get(name)
        if rate is None:
            return 0.0
        return self._buckets.take((owner, name), rate, now, count=count)


def too_many(wait_seconds: float, limit: str) -> RateLimitedError:
    """Return the error for whoever must wait."""
    return RateLimitedError(
        "You are doing this too often; wait a little.",
        retry_after_ms=max(1, round(wait_seconds * 1000)),
        limit=limit,
    )
