"""A client that holds everything it receives against the catalogue."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import socketio
from marshmallow import ValidationError

from schemas.catalog import BROADCASTS, ERROR_ACK, REQUESTS
from tests.kit.nodes import NAMESPACE, Node, NodeProcess, connected
from tests.kit.waiting import DEADLINE_SECONDS, wait_until

Payload = dict[str, Any]


class RecordingClient:
    """A connected user; broadcasts are kept until they are asked for.

    Args:
        sio: The client, connected to ``/chat``.
        user: Whose it is, for the text of failures.
    """

    def __init__(self, sio: socketio.AsyncClient, user: str) -> None:
        self.sio = sio
        self.user = user
        self.kept: list[tuple[str, Payload]] = []
        self.problems: list[str] = []
        self._news = asyncio.Event()
        sio.on("*", self.receive, namespace=NAMESPACE)

    async def ask(self, event: str, payload: object = None) -> Payload:
        """Emit an event and return its ack, success or error."""
        arguments = () if payload is None else payload
        answer = await self.sio.call(
            event, arguments, namespace=NAMESPACE, timeout=DEADLINE_SECONDS
        )
        assert isinstance(answer, dict), f"ack of {event}: {answer!r}"
        schema = REQUESTS[event].ack if answer.get("ok") is True else ERROR_ACK
        try:
            schema.load(answer)
        except ValidationError as error:
            raise AssertionError(
                f"the ack of {event} is not as in the catalogue: {error}: {answer}"
            ) from None
        return answer

    async def do(self, event: str, payload: object = None) -> Payload:
        """Emit an event that is to succeed, and return its ack."""
        answer = await self.ask(event, payload)
        assert answer["ok"], f"{self.user}: {event} was refused: {answer['error']}"
        return answer

    async def refused(self, event: str, payload: object = None) -> Payload:
        """Emit an event that is to fail, and return its error."""
        answer = await self.ask(event, payload)
        assert not answer["ok"], f"{self.user}: {event} was not refused: {answer}"
        error: Payload = answer["error"]
        return error

    async def _greeting(self) -> Payload:
        """Return what the server said when the client connected."""
        hello: list[Payload] = self.sio.hello
        await wait_until(lambda: bool(hello), f"{self.user} is greeted")
        BROADCASTS["hello"].payload.load(hello[-1])
        return hello[-1]

    async def next(self, event: str, **members: object) -> Payload:
        """Return and forget the first broadcast of this name with these members.

        Earlier broadcasts that are not asked for stay kept; `hello` is not forgotten.
        """
        if event == "hello":
            return await self._greeting()
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while True:
                    for index, (name, payload) in enumerate(self.kept):
                        if name == event and members.items() <= payload.items():
                            del self.kept[index]
                            return payload
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(
                f"{self.user} got no {event} {members}, but {self.kept}"
            ) from None

    async def receive(self, event: str, *arguments: Any) -> None:
        """Take a broadcast."""
        problem = _problem(event, arguments)
        if problem is not None:
            self.problems.append(problem)
        self.kept.append((event, arguments[0] if arguments else {}))
        self._news.set()


def _problem(event: str, arguments: tuple[Any, ...]) -> str | None:
    """Say how a broadcast differs from the catalogue, None if it does not."""
    if event not in BROADCASTS:
        return f"{event} is not in the catalogue"
    if len(arguments) != 1:
        return f"{event} came with {len(arguments)} arguments"
    try:
        BROADCASTS[event].payload.load(arguments[0])
    except ValidationError as error:
        return f"{event} is not as in the catalogue: {error}: {arguments[0]}"
    return None


@asynccontextmanager
async def recording(
    node: Node | NodeProcess, user: str, auth: object = None, **options: Any
) -> AsyncIterator[RecordingClient]:
    """Connect a recording client; it fails the test for a broadcast that is wrong.

    Args:
        node: Where to connect.
        user: The user's name in development mode.
        auth: Given instead of the name, if it is not None.
        options: Keywords of ``AsyncClient``.
    """
    async with connected(node, auth or {"user": user}, **options) as sio:
        client = RecordingClient(sio, user)
        yield client
        assert not client.problems, client.problems
