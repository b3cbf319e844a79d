"""An application that is told by webhooks what happens; it fails when it is to."""

import asyncio
import base64
import hmac
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

import orjson
from aiohttp import web

from realtime.outbound.signature import SECRET_PREFIX, parse_secret, signed_headers
from verify.history import Told

HOST: Final = "127.0.0.1"


class Mood(Enum):
    """How it answers."""

    WELL = "well"
    FAILS = "fails"
    """It ends the connection without an answer, as a process that is gone."""
    HANGS = "hangs"
    """It answers nothing until it does something else, and has not taken it then."""
    ANSWERS_500 = "answers 500"


@dataclass(slots=True)
class HookReceiver:
    """What it was told, by when.

    Attributes:
        told: What it took, in the order of its answers; all that it ever did.
        wrong: Requests that were not signed as they must be.
    """

    told: list[Told] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    url: str = ""
    _secret: str = field(
        default_factory=lambda: (
            SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
        )
    )
    _mood: Mood = Mood.WELL
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def file(self) -> str:
        """Return what the nodes' file of endpoints says of it."""
        return (
            f'[[hook]]\nid = "verify"\nurl = "{self.url}"\n'
            f'secrets = ["{self._secret}"]\n'
        )

    def feel(self, mood: Mood) -> None:
        """Answer so from now on."""
        self._mood = mood
        self._changed.set()
        self._changed = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        """Answer a request."""
        body = await request.read()
        if self._mood is Mood.ANSWERS_500:
            return web.Response(status=500)
        if self._mood is Mood.HANGS:
            await self._changed.wait()
        if self._mood is not Mood.WELL or request.transport is None:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=503)
        told = orjson.loads(body)
        if not self._is_signed(request, body):
            self.wrong.append(request.headers.get("webhook-id", "no id"))
        if "offset" in (data := told["data"]):
            is_new = told["type"] == "message.created"
            message = data["message"] if is_new else 0
            self.told.append(Told(data["room"], data["offset"], data["uid"], message))
        return web.Response(status=204)

    def _is_signed(self, request: web.Request, body: bytes) -> bool:
        given = request.headers
        signed = signed_headers(
            parse_secret(self._secret),
            message_id=given.get("webhook-id", ""),
            timestamp=int(given.get("webhook-timestamp", 0)),
            body=body,
        )["webhook-signature"]
        return hmac.compare_digest(signed, given.get("webhook-signature", ""))


@asynccontextmanager
async def hook_receiver() -> AsyncIterator[HookReceiver]:
    """Run one on loopback until the block ends."""
    receiver = HookReceiver()
    app = web.Application()
    app.router.add_post("/hooks", receiver.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        _, port, *_ = runner.addresses[0]
        receiver.url = f"http://{HOST}:{port}/hooks"
        yield receiver
    finally:
        receiver.feel(Mood.FAILS)
        await runner.cleanup()
