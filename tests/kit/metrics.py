"""The numbers that a node tells of itself."""

import aiohttp

from realtime.node.app import NODE
from tests.kit.nodes import Node


async def scrape(url: str, **headers: str) -> tuple[int, dict[str, float]]:
    """Return the status and the numbers of ``/metrics``."""
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.get(f"{url}/metrics") as answer,
    ):
        lines = (await answer.text()).splitlines()
    rows = [line.rpartition(" ") for line in lines if not line.startswith("#")]
    if answer.status != 200:
        return answer.status, {}
    return answer.status, {name: float(value) for name, _, value in rows}


def met(node: Node) -> dict[str, int]:
    """Return which limits were met, and how often."""
    limited = node.app[NODE].parts.limited
    return {name: count for name, count in limited.items() if count}
