"""Connections to a real node that send anything at all, over both transports."""

import asyncio
import io
import json
import resource
import zlib
from urllib.parse import urlsplit

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hostile.fuzzing import bounded
from tests.hostile.scene import Scene
from tests.kit.holdings import returns_to
from tests.kit.raw_chat import raw_chat
from tests.kit.raw_socket import client_frame, raw_socket
from tests.kit.waiting import DEADLINE_SECONDS

# A body of 1 MiB that holds this much; a payload may have nine.
BOMB_MIB = 256
PATH = "/socket.io/?EIO=4&transport=websocket"
CONNECT = '40/chat,{"user":"mallory"}'
TEXTS = (
    CONNECT,
    "40",
    "40/chat,[]",
    '40/chat,{"user":"mallory","token":{"a":1}}',
    "40/nowhere,",
    "41/chat,",
    "41",
    "2",
    "3",
    "3probe",
    "5",
    "6",
    "1",
    "0{}",
    '42/chat,1["rooms"]',
    '42/chat,["join",{"room":"mallory-1"}]',
    '42/chat,2["join",{"room":"mallory-1","cursor":"9:x"}]',
    '42/chat,3["quit",{"room":"mallory-1"}]',
    '451-/chat,4["send",{"_placeholder":true,"num":0}]',
    '4510-/chat,5["send"]',
    "43/chat,1[]",
    "43/chat,0[]",
    '461-/chat,1[{"_placeholder":true,"num":0}]',
    '44/chat,{"message":"x"}',
    '42/chat,["connect",{}]',
    '42/chat,6["disconnect"]',
    "42/chat,[",
    '42/chat,7["\\ud800"]',
)
FRAMES = st.one_of(
    st.sampled_from(TEXTS).map(client_frame),
    st.sampled_from(TEXTS).map(lambda text: client_frame(text[:-1])),
    st.binary(max_size=60).map(lambda data: client_frame(data, 2)),
    st.binary(max_size=60).map(client_frame),
    st.builds(
        lambda data, opcode, fin, mask: client_frame(data, opcode, fin=fin, mask=mask),
        st.binary(max_size=130),
        st.integers(0, 15),
        st.booleans(),
        st.booleans(),
    ),
    st.binary(max_size=40),
)


@bounded(150)
@given(
    sent=st.lists(FRAMES, max_size=8),
    joined=st.booleans(),
    end=st.sampled_from(("abort", "close", "eof")),
)
async def test_websockets_that_send_anything(
    scene: Scene, sent: list[bytes], joined: bool, end: str
) -> None:
    """However it ends, nothing of the connection stays; the talk goes on."""
    port = urlsplit(scene.node.url).port
    assert port is not None
    async with raw_socket(port, PATH) as socket:
        for data in [client_frame(CONNECT)] * joined + sent:
            socket.writer.write(data)
        if end == "abort":
            socket.writer.transport.abort()
        elif end == "eof":
            socket.writer.write_eof()
            await socket.ended()
    await returns_to(scene.node, scene.before)


PACKETS = st.one_of(
    st.sampled_from(TEXTS),
    st.text(max_size=20),
    st.sampled_from(("bAAAA", "b!", "b", "", "4", "\x1e\x1e")),
)


@bounded(60)
@given(
    bodies=st.lists(
        st.lists(PACKETS, min_size=1, max_size=20).map("\x1e".join), max_size=4
    ),
    raw=st.binary(max_size=20),
)
async def test_polling_clients_that_post_anything(
    scene: Scene, bodies: list[str], raw: bytes
) -> None:
    """Each POST is answered, 200 or 400, and the session ends or goes on."""
    url = f"{scene.node.url}/socket.io/?EIO=4&transport=polling"
    async with aiohttp.ClientSession() as http:
        async with http.get(url) as opened:
            sid = json.loads((await opened.text())[1:])["sid"]
        posted = [body.encode("utf-8", "replace") for body in bodies]
        for body in [CONNECT.encode(), *posted, raw]:
            async with http.post(f"{url}&sid={sid}", data=body) as answer:
                assert answer.status in (200, 400)
                assert len(await answer.read()) < 200
        # What is no packet ends a session; so does the client's own farewell.
        async with http.post(f"{url}&sid={sid}", data=b"1") as answer:
            assert answer.status in (200, 400)
    await returns_to(scene.node, scene.before)


@pytest.mark.parametrize("bits", [31, 15], ids=["gzip", "deflate"])
async def test_a_body_that_unpacks_to_far_more(scene: Scene, bits: int) -> None:
    """It is refused at the limit of a payload; the rest is never unpacked."""
    packer = zlib.compressobj(1, wbits=bits)
    zeros = bytes(1024 * 1024)
    bomb = b"".join(packer.compress(zeros) for _ in range(BOMB_MIB)) + packer.flush()
    url = f"{scene.node.url}/socket.io/?EIO=4&transport=polling"
    headers = {"Content-Encoding": "gzip" if bits == 31 else "deflate"}
    highest_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with aiohttp.ClientSession() as http:
        async with http.get(url) as opened:
            sid = json.loads((await opened.text())[1:])["sid"]
        async with http.post(
            f"{url}&sid={sid}", data=io.BytesIO(bomb), headers=headers
        ) as answer:
            assert answer.status in (400, 413)
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - highest_kib
    assert grown_kib < BOMB_MIB * 1024 / 4, f"{grown_kib} KiB were unpacked"
    await returns_to(scene.node, scene.before)


async def test_strangers_cannot_stay(scene: Scene) -> None:
    """A connection is for /chat: no other namespace admits anybody, not even `/`."""
    for namespace in ("", "/admin,", "/chat/,", "/CHAT,", "/,"):
        async with raw_chat(scene.node) as chat:
            await chat.send(f"40{namespace}")
            answer = await chat.frame("40", "44")
            assert answer.startswith("44"), f"{namespace!r} admits strangers"
            assert "Invalid namespace" in answer
    await returns_to(scene.node, scene.before)


async def test_an_answer_to_nothing(scene: Scene) -> None:
    """Acks that nobody asked for, of any number, do nothing."""
    async with raw_chat(scene.node, {"user": "mallory"}) as chat:
        for number in ("", "0", "1", "7", "9" * 16):
            await chat.send(f"43/chat,{number}[{{}}]")
        assert (await chat.ask('["rooms"]'))["ok"]


async def test_two_half_packets(scene: Scene) -> None:
    """Attachments that never come are forgotten with their connection."""
    for _ in range(3):
        async with raw_chat(scene.node, {"user": "mallory"}) as chat:
            await chat.send('452-/chat,1["send",{"_placeholder":true,"num":1}]')
            await chat.send(b"x" * 100_000)
    async with raw_chat(scene.node, {"user": "mallory"}) as chat:
        await chat.send('452-/chat,1["send",{"_placeholder":true,"num":1}]')
        await chat.send('42/chat,2["rooms"]')
        async with asyncio.timeout(DEADLINE_SECONDS):
            await chat.closed()
    await returns_to(scene.node, scene.before)
