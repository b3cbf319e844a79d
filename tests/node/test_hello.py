"""``hello``: what a client is told right after the answer to its connect."""

import time
from importlib.metadata import version

import jwt
import pytest

from schemas.catalog import BROADCASTS, REQUESTS
from tests.kit.nodes import run_nodes
from tests.kit.raw_chat import raw_chat

SECRET = "thirty-two bytes of a test secret"


async def test_hello_says_what_the_token_says(redis_url: str) -> None:
    """User, name, picture and end of the session, as the server took them."""
    ends = int(time.time()) + 60
    claims = {
        "sub": "ann",
        "name": " Ann ",
        "picture": "https://i.example/a",
        "exp": ends,
    }
    token = jwt.encode(claims, SECRET, algorithm="HS256")
    async with (
        run_nodes(1, redis_url, jwt_secret=SECRET) as (node,),
        raw_chat(node, {"token": token}) as chat,
    ):
        hello = chat.hello
    BROADCASTS["hello"].payload.load(hello)
    told = {key: hello[key] for key in ("user", "name", "picture", "expiresAt")}
    assert told == {
        "user": "ann",
        "name": "Ann",
        "picture": "https://i.example/a",
        # The leeway that clocks are given is included.
        "expiresAt": (ends + 10) * 1000,
    }


async def test_hello_says_what_the_server_is_and_allows(redis_url: str) -> None:
    """Limits are those of the settings, features the requests that there are."""
    async with (
        run_nodes(1, redis_url, image_limit_bytes=5_000, rates="user=0.5/3") as (node,),
        raw_chat(node, {"user": "ann"}) as chat,
    ):
        hello = chat.hello
    BROADCASTS["hello"].payload.load(hello)
    assert (hello["protocol"], hello["server"]) == (2, version("chatroom"))
    assert set(hello["features"]) == set(REQUESTS)
    assert hello["limits"]["imageBytes"] == 5_000
    assert hello["limits"]["textCharacters"] == 4_000
    assert hello["limits"]["images"] == 10
    assert hello["limits"]["rates"] == {"user": {"interval": 2_000, "burst": 3}}
    assert hello["expiresAt"] is None
    assert "name" not in hello


@pytest.mark.parametrize("auth", [{"token": "x"}, {}])
async def test_who_is_refused_is_told_nothing(redis_url: str, auth: object) -> None:
    """Neither limits nor version go to who is nobody."""
    async with run_nodes(1, redis_url) as (node,), raw_chat(node) as chat:
        assert "data" in await chat.connect(auth)
        assert chat.received == []
        assert chat.hello == {}
