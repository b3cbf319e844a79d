"""How a script is loaded, and how its reply becomes a result."""

from collections.abc import Awaitable, Callable, Generator
from importlib.resources import files
from typing import Any, TypeVar

from realtime.redis.script import Script

_Result = TypeVar("_Result")


def load(name: str) -> Script:
    """Return the script of a file of this package."""
    source = (files(__package__) / f"{name}.lua").read_text(encoding="utf-8")
    return Script(name, source)


class Parsed(Awaitable[_Result]):
    """A reply on its way; no coroutine, for whoever is cancelled may not await it."""

    __slots__ = ("_parse", "_reply")

    def __init__(self, reply: Awaitable[Any], parse: Callable[[Any], _Result]) -> None:
        self._reply = reply
        self._parse = parse

    def __await__(self) -> Generator[Any, Any, _Result]:
        return self._parse((yield from self._reply.__await__()))
