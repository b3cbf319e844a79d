"""What is counted of moderation, for ``/metrics``."""

from bisect import bisect_left
from collections import Counter
from typing import Final

# What became of messages that were looked at, in the order of a message's way.
OUTCOMES: Final = (
    "word_denied",
    "word_masked",
    "allowed",
    "denied",
    "replaced",
    "unusable",
    "failed",
    "timeout",
    "open_circuit",
    "busy",
)

# Upper bounds in seconds, up to the deadline of a call.
BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5)


class ModerationNumbers:
    """Counts outcomes, and keeps a histogram of how long the hook took.

    Attributes:
        outcomes: One of :data:`OUTCOMES` to how often it was.
        counts: Calls by the bucket of :data:`BUCKETS`; the last one is above all.
        sum_seconds: Of all calls.
    """

    def __init__(self) -> None:
        self.outcomes = Counter(dict.fromkeys(OUTCOMES, 0))
        self.counts = [0] * (len(BUCKETS) + 1)
        self.sum_seconds = 0.0

    def observe(self, seconds: float) -> None:
        """Count a call of the hook."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.sum_seconds += seconds
