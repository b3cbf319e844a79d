"""How busy a node is, and whether messages are late: counted in passing."""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from typing import Final

# Upper bounds in seconds: from what an idle node takes to the deadline of a request.
BUCKETS: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)

# What came of cursors, from the best to the worst: the past was in the node's memory,
# or in Redis; only the first part fitted into an answer; the log does not know it.
RECOVERIES: Final = ("memory", "log", "part", "lost")


class Timings:
    """A histogram of durations.

    Args:
        buckets: Upper bounds in seconds, ascending.

    Attributes:
        buckets: As they were given.
        counts: Durations by bucket; the last one is above all bounds.
        sum_seconds: Of all of them.
    """

    def __init__(self, buckets: Sequence[float] = BUCKETS) -> None:
        self.buckets = buckets
        self.counts = [0] * (len(buckets) + 1)
        self.sum_seconds = 0.0

    def observe(self, seconds: float) -> None:
        """Count a duration."""
        self.counts[bisect_left(self.buckets, seconds)] += 1
        self.sum_seconds += seconds


class Traffic:
    """What a node counts of its messages. Nothing is counted by receiver.

    Attributes:
        messages: Those that were stored; one that was sent again is counted once.
        connects: Sessions that began.
        recoveries: What of :data:`RECOVERIES` came of how many cursors.
        send: From a ``send`` that was read to its ack.
        delivery: From Redis's storing a message to its being written to sessions.
        redis: Redis's answers to a question that costs it nothing.
        redis_ahead_seconds: How far Redis's clock is ahead of this machine's; None: it
            has not been asked yet.
    """

    def __init__(self) -> None:
        self.messages = 0
        self.connects = 0
        self.recoveries: Counter[str] = Counter(dict.fromkeys(RECOVERIES, 0))
        self.send = Timings()
        self.delivery = Timings()
        self.redis = Timings()
        self.redis_ahead_seconds: float | None = None

    def wrote(self, stored_at_ms: int) -> None:
        """Count how late a message was that has just been written.

        Args:
            stored_at_ms: When it was stored, in Unix ms by Redis's clock.
        """
        if self.redis_ahead_seconds is not None:
            now = time.time() + self.redis_ahead_seconds
            self.delivery.observe(max(0.0, now - stored_at_ms / 1000))
