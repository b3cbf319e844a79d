"""Holding many sessions for long: 50,000 of them, a message to each room a second."""

import time

from benchmarks.cases import Sizes
from benchmarks.load_generator import Figures
from benchmarks.stage import Stage

SESSIONS = 50_000
ROOM_SESSIONS = 100
# Time between two looks at memory and descriptors.
STEP_SECONDS = 20.0

# Steps before growth counts: buffers, pools and the rooms' recent events fill.
WARM_STEPS = 3


def hold(stage: Stage, sizes: Sizes) -> Figures:
    """Connect 50,000 sessions and run for ``hold_seconds``; return what grew."""
    count = SESSIONS * sizes.small // 1_000
    rooms = max(1, count // ROOM_SESSIONS)
    began = time.monotonic()
    group = stage.load.connect(count, rooms, "hold-")["group"]
    connecting = time.monotonic() - began
    stage.load.mode(group, f"rate {rooms}")
    memory: list[int] = []
    totals = {"delivered": 0, "missing": 0, "pings": 0, "lost": 0}
    worst = 0
    cpu, began = stage.cpu(), time.monotonic()
    while time.monotonic() - began < sizes.hold_seconds:
        answer = stage.load.run(STEP_SECONDS)
        traffic = answer["groups"][group]
        totals["delivered"] += traffic["delivered"]
        totals["missing"] += traffic["expected"] - traffic["delivered"]
        totals["pings"] += answer["pings"]
        totals["lost"] += answer["lost"]
        worst = max(worst, traffic["delivery"]["p99_us"])
        memory.append(stage.memory())
    seconds = time.monotonic() - began
    calm = memory[min(WARM_STEPS, len(memory) - 1)]
    return {
        "hold": {
            "sessions": count,
            "rooms": rooms,
            "connecting_seconds": round(connecting, 1),
            "held_seconds": round(seconds, 1),
            **totals,
            "server_share": round((stage.cpu() - cpu) / seconds, 3),
            "worst_p99_ms": worst / 1e3,
            "memory_mib": [round(each / 2**20, 1) for each in memory],
            "grown_share": round(memory[-1] / calm - 1, 4),
        }
    }
