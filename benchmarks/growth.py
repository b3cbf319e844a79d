"""Growth: double the rooms, the sessions or a room's size and see a delivery's cost."""

from benchmarks.cases import ROOM_SESSIONS, Sizes, send
from benchmarks.load_generator import Figures
from benchmarks.stage import Stage

ROOMS = (50, 100, 200, 400, 800)
SESSIONS = (0, 1_000, 2_000, 4_000, 8_000)
ROOM_SIZES = (125, 250, 500, 1_000, 2_000, 4_000, 8_000)
POINT_SECONDS = 2.0
# Rooms that send while the number of idle sessions grows.
FIXED_ROOMS = 100


def growth_of_rooms(stage: Stage, sizes: Sizes) -> Figures:
    """More and more rooms of ten, four messages in flight over all of them."""
    return {
        f"{rooms}": _point(
            stage, rooms * ROOM_SESSIONS, rooms, f"rooms{rooms}-", "closed 4", sizes
        )
        for rooms in _scaled(ROOMS, sizes)
    }


def growth_of_sessions(stage: Stage, sizes: Sizes) -> Figures:
    """A hundred rooms of ten send; others sit idle beside them, more and more."""
    rooms = FIXED_ROOMS * sizes.small // 1_000
    active = stage.load.connect(rooms * ROOM_SESSIONS, rooms, "active-")["group"]
    found: Figures = {}
    present = 0
    for idle in _scaled(SESSIONS, sizes):
        more = idle - present
        if more:
            stage.load.connect(more, more // ROOM_SESSIONS, f"idle{idle}-")
            present = idle
        found[str(idle)] = send(stage, active, "closed 4", sizes, seconds=POINT_SECONDS)
    return found


def growth_of_a_room(stage: Stage, sizes: Sizes) -> Figures:
    """One room, larger each time, one message in flight."""
    return {
        f"{size}": _point(stage, size, 1, f"size{size}-", "closed 1", sizes)
        for size in _scaled(ROOM_SIZES, sizes)
    }


def _scaled(values: tuple[int, ...], sizes: Sizes) -> list[int]:
    """Return the values for the full size, a part of them for the quick form."""
    return [max(10, value * sizes.small // 1_000) if value else 0 for value in values]


def _point(
    stage: Stage, sessions: int, rooms: int, prefix: str, mode: str, sizes: Sizes
) -> Figures:
    group = stage.load.connect(sessions, rooms, prefix)["group"]
    found = send(stage, group, mode, sizes, seconds=POINT_SECONDS)
    stage.load.close(group)
    return found


GROWTH = {
    "rooms": growth_of_rooms,
    "sessions": growth_of_sessions,
    "room size": growth_of_a_room,
}
