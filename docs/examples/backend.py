"""A backend beside the chat: it opens a room for an order and speaks as the system.

Asks for CHATROOM_URL, CHATROOM_JWT_SECRET and CHATROOM_KEY (from ``chatroom key create
shop --scopes read,write,rooms,moderate``), and prints the room and the users' tokens.
"""

import asyncio
import json
import os
import time

import jwt
from aiohttp import ClientResponse, ClientSession, ClientTimeout

URL = os.environ["CHATROOM_URL"]
SECRET = os.environ["CHATROOM_JWT_SECRET"]
KEY = os.environ["CHATROOM_KEY"]

# A lost answer, and what may pass by itself: the same request again settles it.
AGAIN = {429, 503, 504}
TRIES = 5
# Minutes: the page asks for a new one when its token ends.
TOKEN_SECONDS = 15 * 60


def token(user: str, name: str) -> str:
    """Return what lets a user's page or app connect; `iat` lets it be called back."""
    now = int(time.time())
    claims = {"sub": user, "name": name, "iat": now, "exp": now + TOKEN_SECONDS}
    return jwt.encode(claims, SECRET, algorithm="HS256")


async def ask(
    http: ClientSession, method: str, path: str, body: object, once: str
) -> dict[str, object]:
    """Ask the chat until it has answered; `once` makes a repeat harmless."""
    headers = {"Authorization": f"Bearer {KEY}", "Idempotency-Key": once}
    for tries in range(TRIES):
        wait_seconds = 2.0**tries
        try:
            async with http.request(
                method, f"{URL}/api{path}", json=body, headers=headers
            ) as answer:
                if answer.status not in AGAIN:
                    return await granted(answer)
                wait_seconds = float(answer.headers["Retry-After"])
        except (OSError, TimeoutError):
            pass
        await asyncio.sleep(wait_seconds)
    raise RuntimeError(f"{method} {path}: no answer")


async def granted(answer: ClientResponse) -> dict[str, object]:
    """Return a body, or raise what the problem says (RFC 9457)."""
    body: dict[str, object] = await answer.json(content_type=None)
    if not answer.ok:
        raise RuntimeError(f"{answer.status} {body['code']}: {body['detail']}")
    return body


async def main() -> None:
    """Open the room of order 7, for ann and bob."""
    async with ClientSession(timeout=ClientTimeout(10)) as http:
        order = {"kind": "private", "name": "Order 7", "users": ["ann", "bob"]}
        room = (await ask(http, "POST", "/chats", order, "order-7"))["room"]
        said = {"type": "system", "text": "Your order left the house."}
        await ask(http, "POST", f"/chats/{room}/message", said, "order-7-left")
    tokens = {"ann": token("ann", "Ann"), "bob": token("bob", "Bob")}
    print(json.dumps({"room": room, "tokens": tokens}))


if __name__ == "__main__":
    asyncio.run(main())
