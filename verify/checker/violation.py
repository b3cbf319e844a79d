"""A promise that was broken."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken, as shortly as it can be said.

    Attributes:
        rule: The promise; one of ``verify.checker.RULES``.
        room: Room id.
        text: What happened, with numbers and names to look for in the histories.
    """

    rule: str
    room: str
    text: str
