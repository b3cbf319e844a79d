"""All collections that an object leads to, found and not listed."""

import asyncio
import functools
import types
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

COLLECTIONS = (dict, set, list, deque, bytearray, asyncio.Queue)
WEAK = (WeakKeyDictionary, WeakSet, WeakValueDictionary)
# Whose attributes are looked at: the server, without schemas, which hold nothing, and
# the libraries that it extends.
PRODUCT = ("realtime", "handlers")
EXTENDED = ("socketio", "engineio")
LEAVES = (type, types.ModuleType, str, bytes, int, float, type(None))


def collections_of(root: object) -> dict[str, list[Any]]:
    """Return ``Class.attribute`` to the collections that were found in it.

    From attributes to what they refer to, over functions, tasks that run and what
    collections hold.
    """
    found: dict[str, list[Any]] = defaultdict(list)
    # Kept, for an id is its object's only as long as that lives.
    seen: dict[int, object] = {}
    waiting = [root]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, LEAVES):
            continue
        seen[id(one)] = one
        if _package(one) in PRODUCT + EXTENDED:
            for name, value in _attributes(one):
                if isinstance(value, COLLECTIONS + WEAK):
                    found[f"{_owner(one)}.{name}"].append(value)
        waiting += _leads_to(one)
    return found


def _leads_to(one: object) -> Iterable[object]:
    if isinstance(one, dict):
        return [*one.keys(), *one.values()]
    if isinstance(one, (set, frozenset, list, tuple, deque)):
        return list(one)
    if isinstance(one, types.FunctionType):
        return [cell.cell_contents for cell in one.__closure__ or () if _filled(cell)]
    if isinstance(one, types.MethodType):
        return [one.__self__, one.__func__]
    if isinstance(one, functools.partial):
        return [one.func, *one.args, *one.keywords.values()]
    if isinstance(one, asyncio.Task):
        return list(_locals(one.get_coro()))
    if _package(one) in PRODUCT + EXTENDED:
        return [value for _name, value in _attributes(one)]
    return []


def _locals(coroutine: Any) -> Iterator[object]:
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        yield from frame.f_locals.values()
        coroutine = coroutine.cr_await


def _attributes(one: object) -> Iterator[tuple[str, Any]]:
    for kind in type(one).__mro__:
        names = kind.__dict__.get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if hasattr(one, name):
                yield name, getattr(one, name)
    with suppress(TypeError):
        # One with slots alone has no others.
        yield from vars(one).items()


def _owner(one: object) -> str:
    """Return the name of the object's class, or of the one of ours that it extends."""
    kinds = type(one).__mro__
    ours = (each for each in kinds if each.__module__.split(".")[0] in PRODUCT)
    return next(ours, kinds[0]).__name__


def _package(one: object) -> str:
    return type(one).__module__.split(".")[0]


def _filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - an empty one raises
    except ValueError:
        return False
    return True
