"""What systemd is told of a service of ``Type=notify``: sd_notify(3), in a datagram."""

import asyncio
import os
import socket
import time
from collections.abc import Awaitable
from contextlib import suppress
from typing import Final

from realtime.tasks import end_task

READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"
ALIVE: Final = "WATCHDOG=1"

# Where to say it, and how often systemd wants a sign of life; not for children.
ADDRESS: Final = "NOTIFY_SOCKET"
WATCHDOG: Final = "WATCHDOG_USEC"
OWN_VARIABLES: Final = (ADDRESS, WATCHDOG, "WATCHDOG_PID")


def reloading() -> str:
    """Return what to say at the begin of a reload; :data:`READY` ends it."""
    return f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}"


def notify(text: str) -> None:
    """Tell systemd; nothing happens where nobody wants to know."""
    address = os.environ.get(ADDRESS, "")
    if not address.startswith(("/", "@")):
        return
    # A name that begins with @ is one of the abstract namespace.
    where = f"\0{address[1:]}" if address[0] == "@" else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to, suppress(OSError):
        to.settimeout(1.0)
        to.sendto(text.encode(), where)


async def alive_while(work: Awaitable[None]) -> None:
    """Do something, and tell systemd meanwhile that the event loop runs.

    Raises:
        Exception: What the work raises.
    """
    beating = asyncio.create_task(_beat(), name="watchdog")
    try:
        await work
    finally:
        await end_task(beating)


async def _beat() -> None:
    pause = watchdog_seconds()
    while pause is not None:
        notify(ALIVE)
        await asyncio.sleep(pause)


def watchdog_seconds() -> float | None:
    """Return how often to be heard of: twice as often as systemd insists on."""
    text = os.environ.get(WATCHDOG, "")
    return int(text) / 2e6 if text.isdecimal() and int(text) else None
