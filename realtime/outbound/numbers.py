"""What is counted of calls to the application, for ``/metrics``."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence


class CallNumbers:
    """Counts outcomes, and keeps a histogram of how long calls took.

    Args:
        outcomes: All that there are, in the order in which they are shown.
        buckets: Upper bounds in seconds, up to the deadline of a call.

    Attributes:
        outcomes: Each to how often it was.
        buckets: As they were given.
        counts: Calls by bucket; the last one is above all.
        sum_seconds: Of all calls.
    """

    def __init__(self, outcomes: Iterable[str], buckets: Sequence[float]) -> None:
        self.outcomes = Counter(dict.fromkeys(outcomes, 0))
        self.buckets = buckets
        self.counts = [0] * (len(buckets) + 1)
        self.sum_seconds = 0.0

    def observe(self, seconds: float) -> None:
        """Count a call."""
        self.counts[bisect_left(self.buckets, seconds)] += 1
        self.sum_seconds += seconds
