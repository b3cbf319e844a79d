"""An application with a before-send hook, on loopback: it answers what a test says."""

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiohttp import web

from tests.kit.recording import Payload
from tests.kit.waiting import MS

# What others sign with as well: 24 bytes, from the examples of Standard Webhooks.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Asked(NamedTuple):
    """One request, as it arrived."""

    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Payload:
        """The message."""
        data: Payload = json.loads(self.body)["data"]
        return data

    @property
    def is_signed(self) -> bool:
        """Whether it was signed with the secret, by the letter of the standard."""
        key = base64.b64decode(SECRET.removeprefix("whsec_"))
        parts = (self.headers["webhook-id"], self.headers["webhook-timestamp"])
        signed = ".".join(parts).encode() + b"." + self.body
        digest = hmac.new(key, signed, hashlib.sha256).digest()
        expected = "v1," + base64.b64encode(digest).decode()
        return self.headers["webhook-signature"] == expected


class HookServer:
    """Keeps what it was asked, and answers as the test says.

    Attributes:
        asked: All requests, in the order in which they arrived.
        decide: Returns the answer about a message: an object, or a response.
        holds: Whether the answer about a message waits for :attr:`free`.
        free: Set: what was held is answered.
        strays: Paths of requests for anything else.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.decide: Callable[[Payload], Any] = lambda _data: {"action": "allow"}
        self.holds: Callable[[Payload], bool] = lambda _data: False
        self.free = asyncio.Event()
        self.strays: list[str] = []
        self.url = ""

    @property
    def texts(self) -> list[str]:
        """The texts that it was asked about."""
        return [each.data.get("text", "") for each in self.asked]

    @property
    def settings(self) -> dict[str, Any]:
        """What a node asks it with."""
        return {
            "hook_url": self.url,
            "hook_secret": SECRET,
            "hook_allow": "127.0.0.1",
        }

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        if request.path != "/hook":
            self.strays.append(request.path)
            return web.json_response({"action": "allow"})
        asked = Asked(
            {name.lower(): value for name, value in request.headers.items()},
            await request.read(),
        )
        self.asked.append(asked)
        if self.holds(asked.data):
            await self.free.wait()
        decided = self.decide(asked.data)
        if isinstance(decided, web.StreamResponse):
            return decided
        return web.json_response(decided)


@asynccontextmanager
async def hook_server(tls: ssl.SSLContext | None = None) -> AsyncIterator[HookServer]:
    """Run an application until the block ends; what it holds is answered then."""
    hook = HookServer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", hook.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2_000 * MS)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    try:
        await site.start()
        port = runner.addresses[0][1]
        scheme, host = ("http", "127.0.0.1") if tls is None else ("https", "localhost")
        hook.url = f"{scheme}://{host}:{port}/hook"
        yield hook
    finally:
        hook.free.set()
        await runner.cleanup()
