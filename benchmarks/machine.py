"""What the kernel says about processes and cores: CPU, memory, descriptors, noise."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Self

TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
SERVER_CORE = 0
# Redis, the load generator and this driver; the server has the other to itself.
LOAD_CORE = 1

# Open files asked for: 50,000 sessions and room to spare.
DESCRIPTORS = 200_000


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process, its threads included.

    From the scheduler's nanoseconds; ``/proc/<pid>/stat`` counts ticks of 10 ms.
    Threads that have ended are in the latter only, so the larger of both is right.
    """
    tasks = Path(f"/proc/{pid}/task")
    precise = 0
    for task in tasks.iterdir():
        try:
            precise += int((task / "schedstat").read_text().split()[0])
        except FileNotFoundError:
            continue
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    exact = precise / 1e9
    # Within rounding the nanoseconds are better.
    return exact if exact > ticks * TICK_SECONDS - 1 else ticks * TICK_SECONDS


def memory_bytes(pid: int) -> int:
    """Return the proportional set size of a process."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("the kernel tells no Pss")


def resident_bytes(pid: int) -> int:
    """Return the resident set size of a process: cheaper to ask for than its share."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * PAGE_BYTES


def descriptors(pid: int) -> int:
    """Return how many files and sockets a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - far faster than Path


@dataclass(frozen=True, slots=True)
class CoreTimes:
    """Seconds that a core has spent since boot."""

    busy: float
    stolen: float

    @classmethod
    def of(cls, core: int) -> Self:
        """Read a core's times."""
        for line in Path("/proc/stat").read_text().splitlines():
            name, *ticks = line.split()
            if name == f"cpu{core}":
                user, nice, system, _idle, _wait, irq, soft, steal = map(int, ticks[:8])
                busy = (user + nice + system + irq + soft) * TICK_SECONDS
                return cls(busy, steal * TICK_SECONDS)
        raise RuntimeError(f"there is no core {core}")


def describe() -> dict[str, object]:
    """Return what the machine is, without any name."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = PAGE_BYTES * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30),
        "kernel": platform.release().partition("-")[0],
        "python": platform.python_version(),
        # A build of one's own without --enable-optimizations is a fifth slower.
        "python_compiler": platform.python_compiler(),
    }
