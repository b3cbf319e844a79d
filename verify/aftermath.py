"""What is looked at once all is calm: who is here, what is stored, what nodes hold."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence

from verify.census import Census, NodeCalm, counts
from verify.check_presence import presence_error
from verify.final_log import FinalLog, Violation
from verify.node_watch import NodeWatch
from verify.read_logs import read_history, read_log
from verify.site import Site

PRESENCE_SECONDS = 15.0
"""Deadline until a killed node's sessions are off all lists, as it is promised."""

LOOK_SECONDS = 0.1
"""Between two looks."""


async def check_presence(
    site: Site, attending: Mapping[str, Counter[str]]
) -> list[Violation]:
    """Give killed nodes' sessions the time to be swept, then look who is here.

    Args:
        site: Where. Of the user's own nodes nothing is looked at: how soon they find
            that a client is gone is what their heartbeat says.
        attending: Who is here, by room: how many sessions of each user.
    """
    found: list[Violation] = []
    redis = site.redis
    if redis is None or not site.slots:
        return found
    deadline = time.monotonic() + PRESENCE_SECONDS
    for room, here in attending.items():
        while error := await presence_error(redis, room, here):
            if time.monotonic() > deadline:
                found.append(Violation("presence", room, error))
                break
            await asyncio.sleep(LOOK_SECONDS)
    return found


async def check_released(
    watch: NodeWatch, census: Census, *, seconds: float
) -> tuple[list[NodeCalm], list[Violation]]:
    """When all clients are gone, look what the nodes still hold.

    Args:
        watch: Reads the nodes' numbers.
        census: Knows what they may hold.
        seconds: The time that they have to let go of the rest.

    Returns:
        What is left at the nodes that tell, and what of it is too much.
    """
    calm: list[NodeCalm] = []
    found: list[Violation] = []
    deadline = time.monotonic() + seconds
    for slot in watch.slots:
        while True:
            numbers = await watch.look(slot)
            over = time.monotonic() > deadline
            if over or (numbers and not census.too_much(slot.name, numbers)):
                break
            await asyncio.sleep(LOOK_SECONDS)
        if numbers is not None:
            found += census.take(slot.name, numbers)
            peak = watch.peaks[slot.name]
            held = counts(numbers)
            calm.append(NodeCalm(slot.name, numbers.memory_bytes, peak, held))
    return calm, found


async def read_logs(
    site: Site, rooms: Sequence[str], auth: Mapping[str, object]
) -> tuple[list[FinalLog], list[Violation]]:
    """Return the truth about each room, and where the server disagrees with it.

    Args:
        site: Where.
        rooms: Their ids.
        auth: Of somebody who may read them.
    """
    url = site.places[0].url
    logs: list[FinalLog] = []
    found: list[Violation] = []
    for room in rooms:
        history = await read_history(url, auth, room, connector=site.connector)
        if site.redis is None:
            logs.append(history)
            continue
        log = await read_log(site.redis, room)
        logs.append(log)
        if history.messages != log.messages:
            text = "what `history` gives differs from the messages in the log"
            found.append(Violation("history", room, text))
    return logs, found


def check_quiet(site: Site) -> list[Violation]:
    """Look for tracebacks in the logs of the nodes."""
    return [
        Violation("quiet", "-", f"{node}: {text}")
        for node, text in site.tracebacks().items()
    ]
