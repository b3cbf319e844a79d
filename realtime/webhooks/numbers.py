"""What is counted of webhooks, for ``/metrics``."""

from typing import Final

from realtime.outbound.numbers import CallNumbers

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


class WebhookNumbers(CallNumbers):
    """Counts what became of events, and how long endpoints took.

    Attributes:
        waiting: Endpoint that this node delivers to, to what waits for it.
    """

    def __init__(self) -> None:
        super().__init__(OUTCOMES, BUCKETS)
        self.waiting: dict[str, int] = {}
