"""Messages that are stored, and whose publication nobody hears."""

from tests.kit.nodes import Node
from tests.kit.store_fixtures import unheard_log


async def append_unpublished(node: Node, text: str) -> str:
    """Store a message whose publication nobody hears; return its cursor."""
    url = node.running.settings.redis_url
    assert url is not None
    async with unheard_log(url) as log:
        appended = await log.append(
            room="42",
            user="ann",
            client_id=text,
            content={"type": "text", "text": text},
        )
    return f"{appended.offset}:{appended.uid}"
