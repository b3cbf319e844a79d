"""What a look at a deployment found: one sentence each, with what to do about it."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """It does not start so, takes no messages, or may lose them."""
    WARNING = "warning"
    """It works, and will not in some case that may come."""
    NOTE = "note"
    """What could not be looked at."""


class Finding(NamedTuple):
    """Something that is not as it should be.

    Attributes:
        level: How bad it is.
        about: Of what: ``settings``, ``system``, ``redis`` or ``server``.
        text: What it is and what to do, in a sentence.
    """

    level: Level
    about: str
    text: str


class Findings:
    """Makes findings about one thing.

    Args:
        about: As of :class:`Finding`.
    """

    def __init__(self, about: str) -> None:
        self._about = about
        self._found: list[Finding] = []

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._found)

    def error(self, text: str) -> None:
        """Take an error."""
        self._found.append(Finding(Level.ERROR, self._about, text))

    def warning(self, text: str) -> None:
        """Take a warning."""
        self._found.append(Finding(Level.WARNING, self._about, text))

    def note(self, text: str) -> None:
        """Take a note."""
        self._found.append(Finding(Level.NOTE, self._about, text))


def worst_first(found: Iterable[Finding]) -> list[Finding]:
    """Return findings in the order in which they are to be read."""
    order = list(Level)
    return sorted(found, key=lambda each: order.index(each.level))
