"""Messages that are stored, and whose publication nobody hears."""

from typing import Any

from realtime.store.message_log import MessageLog
from tests.kit.nodes import Node


async def append_unpublished(node: Node, text: str) -> str:
    """Store a message whose publication nobody hears; return its cursor."""
    log = MessageLog(
        node.parts.redis,
        # Sharded channels are other channels: outside a cluster nobody listens.
        publish_command="SPUBLISH",
        remember_seconds=60,
        log_limit=1000,
        log_age_ms=60_000,
        history_limit=1000,
    )
    appended: Any = await log.append(
        room="42", user="ann", client_id=text, content={"type": "text", "text": text}
    )
    return f"{appended.offset}:{appended.uid}"
