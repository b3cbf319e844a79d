"""The numbers that a node tells of itself."""

import re

import aiohttp

from tests.kit.nodes import Node

LABELLED = re.compile(r'(\w+)\{\w+="(\w+)"\}')


async def scrape(url: str, **headers: str) -> tuple[int, dict[str, float]]:
    """Return the status and the numbers of ``/metrics``."""
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.get(f"{url}/metrics") as answer,
    ):
        text = await answer.text()
    return answer.status, parsed(text) if answer.status == 200 else {}


def parsed(text: str) -> dict[str, float]:
    """Return the numbers of Prometheus's text format, by name with labels."""
    rows = [line.rpartition(" ") for line in text.splitlines() if line[0] != "#"]
    return {name: float(value) for name, _, value in rows}


def labelled(node: Node, metric: str) -> dict[str, int]:
    """Return a metric's numbers at a node of this process, by their one label."""
    numbers = parsed(node.running.metrics_text().decode())
    found = {LABELLED.fullmatch(name): value for name, value in numbers.items()}
    return {
        name[2]: int(value)
        for name, value in found.items()
        if name and name[1] == metric
    }


def limits_met(node: Node) -> dict[str, int]:
    """Return which limits were met, and how often."""
    counts = labelled(node, "chatroom_limited_total")
    return {name: count for name, count in counts.items() if count}
