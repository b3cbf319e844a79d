"""A chat on WebSockets alone: one process, rooms in its memory, nothing stored.

``python -m benchmarks.designs.plain_socket PORT``. It checks tokens and texts and
numbers the messages of a room, acknowledges each and sends it to who is there.
"""

import sys
from collections import defaultdict
from itertools import count
from typing import Any

import orjson
from aiohttp import WSMsgType, web

from benchmarks.servers import SECRET
from realtime.auth.keys import secret_key
from realtime.auth.tokens import TokenRules, verify_token
from schemas.catalog import REQUESTS


class Rooms:
    """Who is in which room, and how many messages it had."""

    def __init__(self) -> None:
        self._present: dict[str, set[web.WebSocketResponse]] = defaultdict(set)
        self._numbers: dict[str, count[int]] = defaultdict(lambda: count(1))
        self._keys = secret_key(SECRET)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one client until it goes."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        key = await self._keys.find({})
        assert key is not None
        user = verify_token(request.query["token"], key, TokenRules())["sub"]
        room = request.query["room"]
        self._present[room].add(socket)
        await socket.send_str('{"joined":true}')
        try:
            async for frame in socket:
                if frame.type is WSMsgType.TEXT:
                    await self._take(socket, room, user, orjson.loads(frame.data))
        finally:
            self._present[room].discard(socket)
        return socket

    async def _take(
        self, socket: web.WebSocketResponse, room: str, user: str, said: Any
    ) -> None:
        text = REQUESTS["send"].payload.load({"room": room, "type": "text", **said})
        number = next(self._numbers[room])
        message = {"message": number, "room": room, "user": user, "text": text["text"]}
        told = orjson.dumps(message).decode()
        for each in [*self._present[room]]:
            await each.send_str(told)
        await socket.send_str(f'{{"ack":"{said["clientId"]}"}}')


def main() -> None:
    """Serve on a port of loopback."""
    app = web.Application()
    app.router.add_get("/", Rooms().serve)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)


if __name__ == "__main__":
    main()
