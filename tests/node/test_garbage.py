"""Garbage is collected by the clock: soon what is young, seldom what is much."""

import asyncio
import gc
import os
import platform
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from realtime.auth.tokens import make_token
from realtime.node import garbage
from realtime.node.garbage import GarbageCollection
from tests.kit.nodes import run_nodes
from tests.kit.raw_chat import raw_chat
from tests.kit.waiting import MS, wait_until

STORM_BYTES = 64_000_000


def resident_bytes() -> int:
    """Return what this process takes of the machine's memory."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


class Circle:
    """Holds itself."""

    def __init__(self) -> None:
        self.own = self


@pytest.fixture
def by_the_clock_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(garbage, "YOUNG_SECONDS", 10 * MS)
    threshold = gc.get_threshold()
    gc.disable()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)
    gc.enable()


@contextmanager
def collecting() -> Iterator[None]:
    collection = GarbageCollection()
    collection.start()
    try:
        yield
    finally:
        collection.close()


def thrown_away() -> weakref.ref[Circle]:
    """Return a view of what only the collector can free."""
    return weakref.ref(Circle())


@pytest.mark.usefixtures("by_the_clock_only")
async def test_what_is_new_and_thrown_away_goes_soon() -> None:
    """On a calm node too, where few objects come after it."""
    with collecting():
        circle = thrown_away()
        await wait_until(lambda: circle() is None, "the circle is freed")


@pytest.mark.usefixtures("by_the_clock_only")
async def test_what_has_grown_old_goes_in_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection that lived for long and was lost."""
    monkeypatch.setattr(garbage, "ALL_SECONDS", 50 * MS)
    with collecting():
        old = Circle()
        gc.collect()
        circle = weakref.ref(old)
        del old
        await wait_until(lambda: circle() is None, "the circle is freed")


@pytest.mark.usefixtures("by_the_clock_only")
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's own way")
async def test_what_a_storm_took_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what lies between things that stay."""
    monkeypatch.setattr(garbage, "ALL_SECONDS", 50 * MS)
    storm = [bytes(2_000) for _ in range(STORM_BYTES // 2_000)]
    before = resident_bytes()
    left_over = storm[::100]
    del storm
    with collecting():
        await wait_until(
            lambda: before - resident_bytes() > STORM_BYTES / 2, "memory is given back"
        )
    assert len(left_over) == STORM_BYTES // 2_000 // 100


@pytest.mark.usefixtures("by_the_clock_only")
async def test_looking_through_everything_takes_a_small_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The larger the node, the seldomer."""
    monkeypatch.setattr(garbage, "ALL_SECONDS", 0.0)
    found: list[int] = []

    def note(phase: str, told: dict[str, int]) -> None:
        if phase == "stop":
            found.append(told["generation"])

    with collecting():
        # So much that a second one is not due for the rest of the test.
        kept = [[number] for number in range(300_000)]
        gc.callbacks.append(note)
        try:
            await wait_until(lambda: found.count(1) > 5, "collections of the young")
        finally:
            gc.callbacks.remove(note)
    assert found.count(2) == 1
    assert len(kept) == 300_000


async def test_nothing_runs_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The timer ends with its owner."""
    loop = asyncio.get_running_loop()
    call_later, timers = loop.call_later, list[asyncio.TimerHandle]()

    def noted(*arguments: Any) -> asyncio.TimerHandle:
        timers.append(call_later(*arguments))
        return timers[-1]

    monkeypatch.setattr(loop, "call_later", noted)
    before = gc.get_threshold()
    collection = GarbageCollection()
    collection.start()
    collection.close()
    gc.unfreeze()
    gc.set_threshold(*before)
    assert timers
    assert all(timer.cancelled() for timer in timers)


@pytest.mark.parametrize(
    "auth",
    [
        '{"mark of a stranger":[]}',
        '{"token":"bad","mark of a stranger":[]}',
        '{"token":5,"mark of a stranger":[]}',
        '{"token":{"mark of a stranger":[]}}',
        f'{{"token":"{make_token("eve", secret="y" * 40)}","mark of a stranger":[]}}',
        f'{{"token":"{make_token("eve", secret="x" * 40)}","device":{{"mark of a '
        'stranger":[]}}',
    ],
)
async def test_a_refused_connect_leaves_nothing(redis_url: str, auth: str) -> None:
    """What strangers sent goes with the answer, not when garbage is collected.

    Hundreds of long ones were 100 MB until then.
    """
    async with (
        run_nodes(1, redis_url, jwt_secret="x" * 40) as (node,),
        raw_chat(node) as stranger,
    ):
        gc.collect()
        gc.disable()
        try:
            await stranger.send(f"40/chat,{auth}")
            await stranger.frame("44/chat,")
            await wait_until(lambda: not _marked(), "nothing of it is left")
        finally:
            gc.enable()


def _marked() -> list[object]:
    return [
        each
        for each in gc.get_objects()
        if isinstance(each, dict) and "mark of a stranger" in each
    ]
