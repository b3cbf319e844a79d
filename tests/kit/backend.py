"""Who asks a node over HTTP: backends by key, users by token."""

import time
from typing import Any

from aiohttp import ClientResponse, ClientSession
from yarl import URL

from realtime.auth.api_keys import new_key
from realtime.auth.tokens import make_token
from tests.kit.nodes import Node

SECRET = "a secret of the tests, 32 bytes or more"
Answer = tuple[int, dict[str, Any], ClientResponse]


class Backend:
    """Asks one node over HTTP."""

    def __init__(self, http: ClientSession, node: Node, bearer: str) -> None:
        self._http = http
        self._node = node
        self.headers = {"Authorization": f"Bearer {bearer}"}

    async def ask(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> Answer:
        """Return status, body and the whole answer; each is JSON."""
        url = URL(f"{self._node.url}/api{path}", encoded=True)
        given: dict[str, Any] = {} if body is None else {"json": body}
        async with self._http.request(
            method, url, headers={**self.headers, **headers}, **given
        ) as answer:
            return answer.status, await answer.json(content_type=None), answer

    async def do(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> dict[str, Any]:
        """Ask for what is to be granted; return the body."""
        status, answer, _ = await self.ask(method, path, body, **headers)
        assert status in (200, 201, 202), (method, path, answer)
        return answer


def user_token(user: str) -> str:
    """Return a token of a user, good for some minutes."""
    return make_token(user, secret=SECRET, lifetime_seconds=600)


async def backend(
    http: ClientSession, node: Node, *scopes: str, rooms: str = "*"
) -> Backend:
    """Make a key with scopes, and return who asks with it."""
    key, text = new_key("crm", scopes=scopes, rooms=rooms, now=int(time.time()))
    await node.parts.api_keys.add(key)
    return Backend(http, node, text)
