"""How a script is loaded, and how its reply becomes a result."""

import re
from collections.abc import Awaitable, Callable, Generator
from importlib.resources import files
from typing import Any, Final, NamedTuple, TypeVar

from realtime.redis.script import Script

_Result = TypeVar("_Result")

_WITH: Final = re.compile(r"^ *-- WITH ([a-z]+)$", re.MULTILINE)
# Code at the left edge, with the comment above it, up to the next of these.
_DEFINITION: Final = re.compile(
    r"(?:^--[^\n]*\n)*^[^-\s].*?(?=^--|^local |\Z)", re.MULTILINE | re.DOTALL
)
_DEFINED: Final = re.compile(r"^local (?:function )?(\w+)", re.MULTILINE)
_COMMENT: Final = re.compile(r"--[^\n]*")
_WORD: Final = re.compile(r"\w+")
_USES: Final = re.compile(r"^-- USES ([a-z, ]+)$", re.MULTILINE)


def load(name: str) -> Script:
    """Return the script of a file of this package, with the parts that it uses.

    Its header names them, ``-- USES numbers, log``: files of ``lib``, in their order.
    Lua makes each function anew whenever it comes to its definition, at every call: so
    only those are taken that are used, and of what a script seldom needs,
    ``-- WITH mentions`` stands where it does.
    """
    folder = files(__package__)

    def part_of(name: str) -> str:
        return (folder / "lib" / f"{name}.lua").read_text(encoding="utf-8")

    header, blank, code = (
        (folder / f"{name}.lua").read_text(encoding="utf-8").partition("\n\n")
    )
    used = _USES.search(header)
    parts = [part_of(part) for part in (used[1].split(", ") if used else ())]
    code = _WITH.sub(lambda seldom: _used(part_of(seldom[1]), code), code)
    return Script(name, header + blank + _used("".join(parts), code) + code)


def _used(shared: str, code: str) -> str:
    """Return those of shared definitions that code needs; each needs earlier ones."""
    found, words = "", set(_WORD.findall(_COMMENT.sub("", code)))
    for definition in reversed(_DEFINITION.findall(shared)):
        name = _DEFINED.search(definition)
        if name and name[1] in words:
            found = definition + found
            words.update(_WORD.findall(_COMMENT.sub("", definition)))
    return found


class Parsed(Awaitable[_Result]):
    """A reply on its way; no coroutine, for whoever is cancelled may not await it."""

    __slots__ = ("_parse", "_reply")

    def __init__(self, reply: Awaitable[Any], parse: Callable[[Any], _Result]) -> None:
        self._reply = reply
        self._parse = parse

    def __await__(self) -> Generator[Any, Any, _Result]:
        return self._parse((yield from self._reply.__await__()))


class Refusal(NamedTuple):
    """Why nothing was written: a word of the script's header, and its number."""

    reason: str
    number: int


def refusal(reply: Any) -> Refusal:
    """Return what a reply whose first number is below 0 refuses with."""
    return Refusal(reply[1].decode(), reply[2])
