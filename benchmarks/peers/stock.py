"""Plain job on stock python-socketio with AsyncRedisManager, on aiohttp.

usage: stock.py PORT REDIS_URL
"""

import itertools
import sys
import time
from typing import Any

import socketio
from aiohttp import web

NAMESPACE = "/chat"


class PlainChat(socketio.AsyncNamespace):  # type: ignore[misc] # untyped library
    """Connect, join, send with an ack. No token check, no validation, no log."""

    def __init__(self) -> None:
        super().__init__(NAMESPACE)
        self._numbers = itertools.count(1)

    async def on_join(self, sid: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Put the session into the room."""
        await self.enter_room(sid, payload["room"])
        return {"ok": True, "room": payload["room"]}

    async def on_send(self, sid: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Broadcast the text to the room."""
        number = next(self._numbers)
        at = int(time.time() * 1000)
        message = {"message": number, "user": sid, "at": at, **payload}
        await self.emit("message", message, room=payload["room"])
        return {"ok": True, "message": number}


def main() -> None:
    """Serve until killed."""
    port, redis_url = sys.argv[1:]
    server = socketio.AsyncServer(
        async_mode="aiohttp", client_manager=socketio.AsyncRedisManager(redis_url)
    )
    server.register_namespace(PlainChat())
    app = web.Application()
    server.attach(app)
    web.run_app(app, host="127.0.0.1", port=int(port), access_log=None, print=None)


if __name__ == "__main__":
    main()
