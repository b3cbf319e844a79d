"""An application that webhooks are delivered to, on loopback; it may fail or hang."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiohttp import web
from standardwebhooks import Webhook

from tests.kit.recording import Payload
from tests.kit.waiting import MS

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LOOPBACK = "127.0.0.1"


class Delivered(NamedTuple):
    """One request, verified."""

    id: str
    type: str
    data: Payload
    headers: dict[str, str]
    body: bytes


class HookReceiver:
    """Verifies what arrives as any application would, and keeps it.

    Attributes:
        accepted: What was answered with success, in the order of the answers.
        tried: All that arrived.
        decide: Returns the status to answer with; None: no answer until :attr:`free`.
        retry_after: Seconds that an answer without success asks for.
        free: Set: what was held is answered.
        url: Where it is.
    """

    def __init__(self) -> None:
        self.accepted: list[Delivered] = []
        self.tried: list[Delivered] = []
        self.decide: Callable[[Delivered], int | None] = lambda _event: 204
        self.retry_after: str | None = None
        self.free = asyncio.Event()
        self.url = ""
        self.secret = SECRET
        self._runner: web.AppRunner | None = None

    @property
    def ids(self) -> list[str]:
        """Ids of what was accepted, each once, in order."""
        return list(dict.fromkeys(each.id for each in self.accepted))

    def of_type(self, kind: str) -> list[Delivered]:
        """Return what was accepted of a type, each event once."""
        first: dict[str, Delivered] = {}
        for each in self.accepted:
            first.setdefault(each.id, each)
        return [each for each in first.values() if each.type == kind]

    def texts(self, room: str = "42") -> list[str]:
        """Return the texts of a room's messages, each once, as they came first."""
        told = self.of_type("message.created")
        return [each.data["text"] for each in told if each.data["room"] == room]

    def texts_by_room(self) -> dict[str, list[str]]:
        """Return the texts of all messages, each once, by room."""
        found: dict[str, list[str]] = defaultdict(list)
        for each in self.of_type("message.created"):
            found[each.data["room"]].append(each.data["text"])
        return found

    def file(self, *, hook_id: str = "app", **more: Any) -> str:
        """Return a file of endpoints that names this one."""
        given = {"id": hook_id, "url": self.url, "secrets": [self.secret], **more}
        lines = [f"{name} = {json.dumps(value)}" for name, value in given.items()]
        return "\n".join(["[[hook]]", *lines, ""])

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Verify and answer one request."""
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        told = Webhook(self.secret).verify(body, headers)
        event = Delivered(
            headers["webhook-id"], told["type"], told["data"], headers, body
        )
        self.tried.append(event)
        status = self.decide(event)
        if status is None:
            await self.free.wait()
            status = self.decide(event) or 204
        if 200 <= status < 300:
            self.accepted.append(event)
            return web.Response(status=status)
        more = {} if self.retry_after is None else {"Retry-After": self.retry_after}
        return web.Response(status=status, headers=more | {"Location": "/elsewhere"})

    async def start(self, port: int = 0) -> None:
        """Listen; on the port that it had, to come back."""
        app = web.Application()
        app.router.add_post("/hooks", self.answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1_000 * MS)
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]
        self.url = f"http://{LOOPBACK}:{self.port}/hooks"

    async def stop(self) -> None:
        """Take no connections any more."""
        self.free.set()
        if self._runner is not None:
            await self._runner.cleanup()


@asynccontextmanager
async def hook_receiver() -> AsyncIterator[HookReceiver]:
    """Run an application until the block ends."""
    receiver = HookReceiver()
    await receiver.start()
    try:
        yield receiver
    finally:
        await receiver.stop()
