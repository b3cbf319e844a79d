"""What is counted of moderation, for ``/metrics``."""

from typing import Final

from realtime.outbound.numbers import CallNumbers

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


class ModerationNumbers(CallNumbers):
    """Counts what became of messages, and how long the hook took."""

    def __init__(self) -> None:
        super().__init__(OUTCOMES, BUCKETS)
