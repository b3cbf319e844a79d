"""A node where people talk while somebody misbehaves."""

import uuid
from dataclasses import dataclass

from tests.kit.holdings import redis_keys
from tests.kit.nodes import Node
from tests.kit.recording import RecordingClient
from tests.kit.redis_server import RedisServer

# The room of those who notice nothing; strangers do not know its name.
TALK = "people-talk-here"


@dataclass
class Scene:
    """A node, and two people whose conversation must go on.

    ``before`` and ``keys`` are what the node and Redis held before the strangers came.
    """

    node: Node
    redis: RedisServer
    ann: RecordingClient
    bob: RecordingClient
    before: dict[str, int]
    keys: set[bytes]

    async def goes_on(self) -> None:
        """Somebody's message reaches somebody else, just as before."""
        text = uuid.uuid4().hex
        message = {"room": TALK, "clientId": text, "type": "text", "text": text}
        await self.ann.do("send", message)
        assert (await self.bob.next("message", text=text))["user"] == "ann"

    def new_keys(self) -> set[bytes]:
        """Return the names of Redis keys that were not there before."""
        return redis_keys(self.redis.admin, without=[TALK.encode()]) - self.keys
