"""What is counted of webhooks, for ``/metrics``."""

from bisect import bisect_left
from collections import Counter
from typing import Final

# What became of events, in the order of their way.
OUTCOMES: Final = (
    "queued",
    "delivered",
    "refused",
    "timeout",
    "unreachable",
    "postponed",
    "given_up",
    "overflow",
    "lost",
)

# Upper bounds in seconds, up to the deadline of a call.
BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)


class WebhookNumbers:
    """Counts outcomes, and keeps a histogram of how long endpoints took.

    Attributes:
        outcomes: One of :data:`OUTCOMES` to how often it was.
        counts: Calls by the bucket of :data:`BUCKETS`; the last one is above all.
        sum_seconds: Of all calls.
        waiting: Endpoint that this node delivers to, to what waits for it.
    """

    def __init__(self) -> None:
        self.outcomes = Counter(dict.fromkeys(OUTCOMES, 0))
        self.counts = [0] * (len(BUCKETS) + 1)
        self.sum_seconds = 0.0
        self.waiting: dict[str, int] = {}

    def observe(self, seconds: float) -> None:
        """Count a call."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.sum_seconds += seconds
