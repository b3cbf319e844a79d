"""What must stay inside: a node at its most talkative, while everything goes wrong.

A process of its own, at log level ``debug``, configured with one secret of each kind
and used by people who write words that can be told apart. Its output, its answers and
its open routes are then searched for them.
"""

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import aiohttp
import jwt
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from redis.asyncio import Redis

from tests.kit.members import text_of
from tests.kit.nodes import NodeProcess, start_process
from tests.kit.raw_chat import RawChat, raw_chat
from tests.kit.redis_server import RedisServer
from tests.kit.spread_redis import ONE_VALKEY
from tests.kit.waiting import wait_until

JWT_SECRET = "jwt-secret-of-the-suite-0123456789abcdef"
IMAGE_SECRET = "image-secret-of-the-suite-0123456789abc"
METRICS_TOKEN = "metrics-token-of-the-suite"
REDIS_PASSWORD = "redis-password-of-the-suite"
TEXT = "xyzzy-the-text-of-a-message"
CAPTION = "xyzzy-the-caption-of-an-image"
EXIF = "xyzzy-where-the-photo-was-taken"
DRAFT = "xyzzy-a-text-that-was-refused"
ROOM = "xyzzy-room"
USER = "xyzzy-user"
# All that strangers are told of why a node is not ready.
NOT_READY = {"Redis commands: no answer.", "Redis Pub/Sub: not subscribed."}
CONFIGURED = (JWT_SECRET, IMAGE_SECRET, METRICS_TOKEN, REDIS_PASSWORD)


@dataclass
class Told:
    """What the node said to its operator, and to anybody."""

    node: NodeProcess
    tokens: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)


def token(secret: str = JWT_SECRET, **claims: object) -> str:
    body = {"sub": USER, "exp": int(time.time()) + 600, **claims}
    return jwt.encode(body, secret, algorithm="HS256")


def photo() -> bytes:
    """Return a JPEG that says where it was taken, as phones write it."""
    exif = Image.Exif()
    exif[0x010E] = EXIF
    exif[0x9286] = EXIF
    file = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(file, "JPEG", exif=exif)
    return file.getvalue()


def commented_png() -> bytes:
    text = PngInfo()
    text.add_text("Comment", EXIF)
    text.add_itxt("Location", EXIF)
    file = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(file, "PNG", pnginfo=text)
    return file.getvalue()


@asynccontextmanager
async def talkative(redis_server: RedisServer, folder: Path) -> AsyncIterator[Told]:
    """Run the node; all of its output is kept."""
    admin = redis_server.admin
    admin.acl_setuser(
        "xyzzy",
        enabled=True,
        passwords=[f"+{REDIS_PASSWORD}"],
        keys=["*"],
        channels=["*"],
        categories=["+@all"],
    )
    address = redis_server.url.replace("unix://", "unix://xyzzy@")
    node = await start_process(
        CHATROOM_REDIS_URL=f"{address}?password={quote(REDIS_PASSWORD)}",
        CHATROOM_LOG_LEVEL="debug",
        CHATROOM_JWT_SECRET=JWT_SECRET,
        CHATROOM_IMAGE_URL_SECRET=IMAGE_SECRET,
        CHATROOM_METRICS_TOKEN=METRICS_TOKEN,
        CHATROOM_DATA_DIR=str(folder),
        CHATROOM_RATES="refresh=0.1/3",
        PYTHONASYNCIODEBUG="1",
        PYTHONWARNINGS="ignore",
    )
    try:
        await node.ready()
        yield Told(node)
    finally:
        await node.aclose()
        admin.acl_deluser("xyzzy")


async def ask(
    told: Told, chat: RawChat, event: str, payload: object
) -> dict[str, object]:
    """Ask, and keep the answer if it is a refusal."""
    answer = await chat.ask(json.dumps([event, payload]))
    if not answer["ok"]:
        told.refusals.append(json.dumps(answer))
    return answer


async def converse(told: Told, chat: RawChat) -> None:
    """Do what people do, well and badly."""
    place = {"_placeholder": True, "num": 0}
    send = text_of(TEXT, ROOM)
    for event, payload in (
        ("send", send),
        ("join", {"room": ROOM, "cursor": "nonsense"}),
        ("send", send),
        ("send", {**send, "text": DRAFT + "\x00"}),
        ("send", {**send, "text": DRAFT * 400}),
        ("send", {**send, "text": DRAFT, "mentions": [DRAFT, DRAFT]}),
        ("send", {**send, "text": {"a": DRAFT}}),
        ("send", {**send, "room": DRAFT + "*"}),
        ("send", {**send, "clientId": DRAFT + "*"}),
        ("send", [DRAFT]),
        ("history", {"room": ROOM}),
        ("history", {"room": ROOM, "before": DRAFT}),
        ("mark_read", {"room": ROOM, "message": 1}),
        ("typing", {"room": ROOM, "on": DRAFT}),
        ("rooms", {}),
        ("sync", {"rooms": [{"room": ROOM, "cursor": "1:" + DRAFT}]}),
        ("refresh", {"token": told.tokens[0]}),
        ("refresh", {"token": token("another secret of thirty-two bytes and more")}),
        ("refresh", {"token": DRAFT}),
        ("refresh", {"token": told.tokens[0] + "x"}),
        (DRAFT, {DRAFT: DRAFT}),
        ("disconnect", DRAFT),
    ):
        await ask(told, chat, event, payload)
    image = {"room": ROOM, "type": "image", "image": place, "text": CAPTION}
    bad = b"\x89PNG\r\n\x1a\n" + DRAFT.encode()
    for number, data in enumerate((photo(), commented_png(), photo()[:-90], bad)):
        message = json.dumps(["send", {**image, "clientId": f"i{number}"}])
        answer = await chat.ask(message, data)
        if not answer["ok"]:
            told.refusals.append(json.dumps(answer))


async def misbehave(told: Told) -> None:
    """Send what is no packet, no token, no address and no HTTP."""
    node = told.node
    for bad in (
        token("another secret of thirty-two bytes and more"),
        token(exp=1),
        token(sub=DRAFT * 20),
        DRAFT,
        told.tokens[0] + "x",
    ):
        told.tokens.append(bad)
        async with raw_chat(node) as chat:
            refusal = await chat.connect({"token": bad})
            told.refusals.append(json.dumps(refusal))
            # A client may send on although it was refused.
            await chat.send(f'42/chat,1["send",{{"text":"{DRAFT}"}}]')
    for frame in (
        f'42/chat,1["send",{{"text":"{DRAFT}"',
        f'42/chat,1["send",{{"text":"{DRAFT}"}}]x',
        f"4{DRAFT}",
        DRAFT,
        f'451-/chat,["send",{{"text":"{DRAFT}","x":{{"_placeholder":true,"num":5}}}}]',
    ):
        async with raw_chat(node, {"token": told.tokens[0]}) as chat:
            await chat.send(frame)
            await chat.send(DRAFT.encode())
            await chat.closed()
    async with aiohttp.ClientSession() as http:
        for path, headers in (
            ("/metrics", {"Authorization": f"Bearer {METRICS_TOKEN}x"}),
            ("/metrics", {"Authorization": f"Basic {DRAFT}"}),
            (f"/images/{'0' * 64}.png?expires=9&signature={DRAFT}", {}),
            (f"/{DRAFT}?token={told.tokens[0]}", {}),
            (f"/socket.io/?EIO=4&transport=polling&sid={DRAFT}", {}),
            (f"/socket.io/?EIO=4&transport=polling&token={told.tokens[0]}", {}),
        ):
            async with http.get(node.url + path, headers=headers) as answer:
                told.refusals.append(f"{answer.headers}{await answer.text()}")
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    writer.write(f"GET / HTTP/1.1\r\n{DRAFT}\r\nHost: a\r\n\r\n".encode())
    told.refusals.append((await reader.read(65_536)).decode())
    writer.close()


async def look_around(told: Told) -> None:
    """Ask the routes that are open to everybody, and metrics with its token."""
    async with aiohttp.ClientSession() as http:
        for path in ("/", "/healthz", "/readyz", "/metrics", "/nothing"):
            headers = {"Authorization": f"Bearer {METRICS_TOKEN}"}
            async with http.get(
                told.node.url + path, headers=headers if path == "/metrics" else {}
            ) as answer:
                told.answers.append(f"{answer.headers}{await answer.text()}")


@pytest.fixture
async def told(redis_server: RedisServer, tmp_path: Path) -> AsyncIterator[Told]:
    """All that a node said in good times and bad: Redis wrong-typed, then gone."""
    async with talkative(redis_server, tmp_path) as told:
        told.tokens.append(token(name="xyzzy-name"))
        node = told.node
        async with raw_chat(node, {"token": told.tokens[0]}) as chat:
            await converse(told, chat)
            await misbehave(told)
            await look_around(told)
            # A key of another type: Redis refuses, the node has a defect to report.
            admin = redis_server.admin
            async with Redis.from_url(redis_server.url) as client:
                await client.set("{chatroom-broken}:members", "x")
                await client.set("{chatroom-broken}:log", "x")
            await ask(told, chat, "join", {"room": "broken"})
            await ask(told, chat, "sync", {"rooms": [{"room": "broken"}]})
            admin.delete("{chatroom-broken}:members", "{chatroom-broken}:log")
            admin.set(f"{{chatroom-{ROOM}}}:messages", "x")
            await ask(told, chat, "send", text_of(TEXT, ROOM))
            await ask(told, chat, "history", {"room": ROOM})
            admin.delete(f"{{chatroom-{ROOM}}}:messages")
            # Redis refuses the node's password from now on, and has cut it off.
            admin.acl_setuser("xyzzy", enabled=False)
            admin.client_kill_filter(_type="normal", skipme=True)
            admin.client_kill_filter(_type="pubsub", skipme=True)
            await ask(told, chat, "send", text_of(TEXT, ROOM))

            async def is_not_ready() -> bool:
                async with (
                    aiohttp.ClientSession() as http,
                    http.get(f"{node.url}/readyz") as answer,
                ):
                    said = await answer.json()
                    told.answers.append(json.dumps(said))
                    assert set(said.get("reasons", [])) <= NOT_READY
                    return answer.status == 503

            await wait_until(is_not_ready, "the node says that it has no Redis")
            await look_around(told)
        node.terminate()
        await node.ended()
        yield told


@ONE_VALKEY
async def test_secrets_and_texts_stay_inside(told: Told) -> None:
    """No secret, token, text, caption or place of a photo is in the log at `debug`.

    Nor what clients sent in place of any: the log is no echo. Answers tell neither,
    and the open routes no user, room, address or version. A defect is still told,
    with the event and the session.
    """
    output = told.node.output
    for word in (
        "DEBUG",
        "Traceback",
        "Room broken cannot be read",
        "history of session",
    ):
        assert word in output, "the node was to be talkative"
    for secret in (*CONFIGURED, *told.tokens, TEXT, CAPTION, EXIF, DRAFT, "xyzzy-name"):
        assert secret not in output, f"{secret} is in the log"
    signatures = [each.split(".")[-1] for each in told.tokens if each.count(".") == 2]
    assert not [each for each in signatures if each in output]
    for answer in (*told.refusals, *told.answers):
        for secret in (*CONFIGURED, TEXT, CAPTION, EXIF, told.tokens[0]):
            assert secret not in answer, answer
        assert "Traceback" not in answer
    for answer in told.answers:
        for word in (USER, ROOM, "xyzzy", "unix:", "/tmp", "aiohttp", "Python/"):
            assert word not in answer, (word, answer)
