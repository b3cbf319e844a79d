"""Each kind of token key at a real node, from its setting to the session."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.kit.nodes import Node, run_nodes
from tests.kit.raw_chat import raw_chat
from tests.kit.recording import recording

KEY = ec.generate_private_key(ec.SECP256R1())
STRANGER = ec.generate_private_key(ec.SECP256R1())
SECRET = "a secret of the tests, thirty-two bytes long"


@asynccontextmanager
async def key_server() -> AsyncIterator[str]:
    """Serve a set of one key and give its address."""
    entry = jwt.get_algorithm_by_name("ES256").to_jwk(KEY.public_key(), as_dict=True)

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response({"keys": [{**entry, "kid": "1", "use": "sig"}]})

    app = web.Application()
    app.router.add_get("/jwks.json", answer)
    runner = web.AppRunner(app)
    try:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/jwks.json"
    finally:
        await runner.cleanup()


async def check(node: Node, key: Any, algorithm: str, **claims: Any) -> None:
    """Ann gets in with a token of this key; a stranger's token is refused."""
    headers = {"kid": "1"}
    token = jwt.encode({"sub": "ann", **claims}, key, algorithm, headers)
    async with recording(node, "ann", {"token": token}) as ann:
        assert (await ann.do("join", {"room": "42"}))["online"] == ["ann"]
    forged = jwt.encode({"sub": "ann", **claims}, STRANGER, "ES256", headers)
    async with raw_chat(node) as chat:
        refusal = await chat.connect({"token": forged})
        assert refusal["data"]["code"] == "unauthorized"
        assert refusal["data"]["reason"] == "token_invalid"
        assert refusal["data"]["temporary"] is False


async def test_a_secret(redis_url: str) -> None:
    """CHATROOM_JWT_SECRET, with the issuer and audience that are demanded."""
    rules = {"jwt_issuer": "us", "jwt_audience": "chat", "require_exp": True}
    async with run_nodes(1, redis_url, jwt_secret=SECRET, **rules) as (node,):
        await check(node, SECRET, "HS256", iss="us", aud="chat", exp=4_000_000_000)
        async with raw_chat(node) as chat:
            token = jwt.encode({"sub": "ann"}, SECRET, "HS256")
            assert "data" in await chat.connect({"token": token})


async def test_a_public_key(redis_url: str, tmp_path: Path) -> None:
    """CHATROOM_JWT_PUBLIC_KEY_FILE."""
    path = tmp_path / "key.pem"
    public = KEY.public_key()
    path.write_bytes(
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    async with run_nodes(1, redis_url, jwt_public_key_file=path) as (node,):
        await check(node, KEY, "ES256")


async def test_a_key_set(redis_url: str) -> None:
    """CHATROOM_JWKS_URL."""
    async with (
        key_server() as url,
        run_nodes(1, redis_url, jwks_url=url) as (node,),
    ):
        await check(node, KEY, "ES256")


async def test_a_key_set_that_cannot_be_fetched(
    redis_url: str, unused_port: int
) -> None:
    """The client is told that it is not its fault, and may try again."""
    url = f"http://127.0.0.1:{unused_port}/jwks.json"
    token = jwt.encode({"sub": "ann"}, KEY, "ES256", {"kid": "1"})
    async with run_nodes(1, redis_url, jwks_url=url) as (node,), raw_chat(node) as chat:
        refusal = await chat.connect({"token": token})
        assert refusal["data"]["code"] == "unavailable"
        assert refusal["data"]["temporary"] is True


@pytest.fixture
def unused_port() -> int:
    """A port that nobody listens on: the discard service's."""
    return 9
