"""What is counted of calls to the application, for ``/metrics``."""

from collections import Counter
from collections.abc import Iterable, Sequence

from realtime.traffic import Timings


class CallNumbers(Timings):
    """Counts outcomes, and how long calls took.

    Args:
        outcomes: All that there are, in the order in which they are shown.
        buckets: Upper bounds in seconds, up to the deadline of a call.

    Attributes:
        outcomes: Each to how often it was.
    """

    def __init__(self, outcomes: Iterable[str], buckets: Sequence[float]) -> None:
        super().__init__(buckets)
        self.outcomes = Counter(dict.fromkeys(outcomes, 0))
