"""A silent cut between a node and Redis: ``python -m benchmarks.partition``.

One node, its Valkey behind a proxy that swallows every byte and keeps the connections.
Measured from the moment of the cut: until ``/readyz`` is red, until a member's send is
answered; and from its end until ``/readyz`` is green and a send is acknowledged. See
docs/reliability.md.
"""

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path

import aiohttp

from benchmarks.machine import describe
from verify.client.connection import Connection
from verify.harness.deployment import deployment
from verify.harness.proxy import Line
from verify.harness.site import Place

ROOM = "partition"

# Between two looks at ``/readyz``; the figures are exact to this.
LOOK_SECONDS = 0.01

# Deadline of each step: far above what is promised.
LONGEST_SECONDS = 15.0

# Before each cut, by chance: cuts must strike every moment of the node's rounds.
CALM_SECONDS = (0.5, 3.0)


async def until_ready(http: aiohttp.ClientSession, place: Place, ready: bool) -> float:
    """Return the seconds until a node is ready, or is not.

    Raises:
        TimeoutError: It does not come to it.
    """
    began = time.monotonic()
    url = f"{place.process.url}/readyz" if place.process else ""
    async with asyncio.timeout(LONGEST_SECONDS):
        while True:
            async with http.get(url) as answer:
                if (answer.status == 200) == ready:
                    return time.monotonic() - began
            await asyncio.sleep(LOOK_SECONDS)


async def send(member: Connection, text: str) -> tuple[float, str]:
    """Return the seconds until a send is answered, and ``ok`` or the error's code."""
    began = time.monotonic()
    payload: dict[str, object] = {
        "room": ROOM,
        "clientId": text.replace(" ", "-"),
        "type": "text",
        "text": text,
    }
    ack = await member.request("send", payload, seconds=LONGEST_SECONDS)
    code = "ok" if ack.get("ok") else str(ack["error"]["code"])
    return time.monotonic() - began, code


class Found:
    """What was measured: seconds, cut by cut, and how sends were answered."""

    def __init__(self) -> None:
        self.noticed: list[float] = []
        self.answered: list[float] = []
        self.ready_again: list[float] = []
        self.acked_again: list[float] = []
        self.answers: Counter[str] = Counter()


async def measure(cuts: int) -> Found:
    """Cut the line so many times."""
    member = Connection()
    with tempfile.TemporaryDirectory(prefix="chatroom-cut-") as folder:
        async with (
            deployment(Path(folder), nodes=1) as site,
            aiohttp.ClientSession() as http,
        ):
            (place,) = site.places
            try:
                await member.open(place.url, {"user": "ann"}, ["websocket"])
                await member.request("join", {"room": ROOM}, seconds=LONGEST_SECONDS)
                return await _cut(http, place, member, cuts)
            finally:
                await member.close()


async def _cut(
    http: aiohttp.ClientSession, place: Place, member: Connection, cuts: int
) -> Found:
    found = Found()
    rng = random.Random(1)
    for number in range(cuts):
        await asyncio.sleep(rng.uniform(*CALM_SECONDS))
        place.redis_lines[0].set_line(Line(swallowing=True))
        noticed, (answered, code) = await asyncio.gather(
            until_ready(http, place, False), send(member, f"in cut {number}")
        )
        found.noticed.append(noticed)
        found.answered.append(answered)
        found.answers[code] += 1
        place.redis_lines[0].set_line(Line())
        healed = time.monotonic()
        found.ready_again.append(await until_ready(http, place, True))
        while code != "ok":
            # The same clientId, as clients do: it is stored once.
            _seconds, code = await send(member, f"in cut {number}")
        found.acked_again.append(time.monotonic() - healed)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.partition", description=__doc__)
    parser.add_argument("--cuts", type=int, default=30)
    given = parser.parse_args()
    found = asyncio.run(measure(given.cuts))
    print(json.dumps(describe()))
    print("| | median | worst | to reach |\n|---|---|---|---|")
    for name, values, to_reach in (
        ("the node says that it is not ready", found.noticed, "3 s"),
        ("a send is answered", found.answered, "5 s"),
        ("healed: ready again", found.ready_again, ""),
        ("healed: the send is acknowledged", found.acked_again, ""),
    ):
        print(
            f"| {name} | {statistics.median(values):.2f} s | {max(values):.2f} s"
            f" | {to_reach} |"
        )
    print(f"Answers to {given.cuts} sends in cuts: {dict(found.answers)}.")


if __name__ == "__main__":
    main()
