"""Image bytes that are bombs, cut, two things at once or something else.

The cases that every decoder must know are in ``tests/images/test_service.py``; here
they come over a real connection, made up by the hundred, and nothing may grow.
"""

import io
import json
import random
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from realtime.images.signed_urls import ImageLinks
from realtime.store.keys import SHARED_SECRET
from tests.hostile.fuzzing import bounded
from tests.hostile.scene import TALK, Scene
from tests.kit.members import text_of
from tests.kit.nodes import NAMESPACE
from tests.kit.pictures import with_scans
from tests.kit.raw_chat import RawChat
from tests.kit.recording import RecordingClient
from tests.kit.waiting import wait_until

HOUR_SECONDS = 3_600
SERVED_AS = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
SERVED_AS["gif"] = "image/gif"


@pytest.fixture
def node_settings(tmp_path: Path) -> dict[str, Any]:
    """A folder of the test's own, and smaller limits: the rules are the same."""
    return {
        "data_dir": tmp_path,
        "image_limit_bytes": 300_000,
        "image_limit_pixels": 1_000_000,
    }


def picture(form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(file, form, **options)
    return file.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    checked = name + data
    size, check = struct.pack(">I", len(data)), struct.pack(">I", zlib.crc32(checked))
    return size + checked + check


def png(*chunks: bytes, size: tuple[int, int] = (1, 1), bits: int = 8) -> bytes:
    """Return a PNG of a size with further chunks before its end."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, bits, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IEND", b"")


def zeros(mib: int) -> bytes:
    """Return what unpacks to so many MiB."""
    packer = zlib.compressobj(9)
    block = bytes(1024 * 1024)
    return b"".join(packer.compress(block) for _ in range(mib)) + packer.flush()


PIXEL = chunk(b"IDAT", zlib.compress(b"\x00\xff\x00\x00"))
FRAME = struct.pack(">IIIIIHHBB", 0, 1, 1, 0, 0, 1, 1, 0, 0)
MANY_FRAMES = b"".join(
    chunk(b"fcTL", FRAME) + chunk(b"fdAT", struct.pack(">I", n) + zeros(1))
    for n in range(50)
)
REFUSED: dict[str, bytes] = {
    "nothing but a name": b"\x89PNG\r\n\x1a\n",
    "huge dimensions": png(PIXEL, size=(2**31 - 1, 2**31 - 1)),
    "a long line": png(PIXEL, size=(2**31 - 1, 1)),
    "no size": png(PIXEL, size=(0, 0)),
    "a pixel bomb": png(chunk(b"IDAT", zeros(64)), size=(30_000, 30_000)),
    "GIF and script": b"GIF89a/*" + b"\x00" * 10 + b"*/=1;alert(1)//",
    "GIF of huge dimensions": b"GIF89a\xff\xff\xff\xff\x00\x00\x00",
    "JPEG head and a page": b"\xff\xd8\xff\xe0<html><script>alert(1)</script>",
    "WebP head and a page": b"RIFF\xff\x00\x00\x00WEBP<script>",
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "SVG behind a mark": b'\xef\xbb\xbf<?xml version="1.0"?><svg onload="alert(1)"/>',
    "HTML": b"<!doctype html><script>alert(1)</script>",
    "PDF": b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>",
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage",
    "ZIP": b"PK\x03\x04" + bytes(60),
    "program": b"\x7fELF" + bytes(60),
    "TIFF": b"II*\x00\x08\x00\x00\x00\x00\x00",
    "BMP": b"BM" + bytes(60),
    "ICO": b"\x00\x00\x01\x00\x01\x00" + bytes(60),
    "AVIF": b"\x00\x00\x00\x20ftypavif" + bytes(60),
    "zeros": bytes(1_000),
    "scans without end": with_scans(picture("JPEG", progressive=True), 4_000),
    "a picture behind a page": b"<html>" + picture("PNG"),
}
TAKEN: dict[str, bytes] = {
    "a page behind a picture": picture("PNG") + b"<script>alert(1)</script>",
    "a PDF behind a picture": picture("JPEG") + b"%PDF-1.7",
    "an archive behind a picture": picture("GIF") + b"PK\x03\x04" + bytes(60),
    "a script in a comment": picture("GIF", comment=b"*/=1;alert(1)//"),
    "EXIF that points nowhere": picture(
        "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff"
    ),
    "a page in EXIF": picture("JPEG", exif=b"Exif\x00\x00<script>alert(1)</script>"),
    "a profile": picture(
        "PNG",
        icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    ),
    "a profile of junk": picture("JPEG", icc_profile=b"\xff" * 60_000),
    "a comment that unpacks to 64 MiB": png(
        chunk(b"zTXt", b"c\x00\x00" + zeros(64)), PIXEL
    ),
    "a profile that unpacks to 64 MiB": png(
        chunk(b"iCCP", b"p\x00\x00" + zeros(64)), PIXEL
    ),
    "further frames that are bombs": png(
        chunk(b"acTL", struct.pack(">II", 51, 0)),
        chunk(b"fcTL", FRAME),
        PIXEL,
        MANY_FRAMES,
    ),
}


async def send(chat: RawChat, data: bytes) -> dict[str, Any]:
    """Send bytes as an image and return the answer."""
    payload = text_of("", TALK) | {
        "type": "image",
        "image": {"_placeholder": True, "num": 0},
    }
    del payload["text"]
    return await chat.ask(json.dumps(["send", payload]), data)


def kept(folder: Path) -> int:
    """Count the files of the image store."""
    return sum(
        1 for each in folder.rglob("*") if each.is_file() and "images" in each.parts
    )


@pytest.mark.parametrize("what", REFUSED)
async def test_what_is_no_image(
    scene: Scene, mallory: RawChat, tmp_path: Path, what: str
) -> None:
    """Refused by the field's name; nothing is stored, and the sender goes on."""
    before = kept(tmp_path)
    answer = await send(mallory, REFUSED[what])
    assert answer["ok"] is False, what
    assert answer["error"]["code"] in ("invalid", "too_large")
    assert "image" in answer["error"]["fields"]
    assert kept(tmp_path) == before
    assert (await mallory.ask('["rooms"]'))["ok"]


@pytest.mark.parametrize("what", TAKEN)
async def test_what_is_an_image_and_more(
    scene: Scene, mallory: RawChat, what: str
) -> None:
    """What else it is goes, and it is served as an image only: nothing of it is run."""
    data = TAKEN[what]
    answer = await send(mallory, data)
    assert answer["ok"], answer
    image = (await scene.bob.next("message", user="mallory"))["image"]
    async with (
        aiohttp.ClientSession() as http,
        http.get(scene.node.url + image["url"]) as got,
    ):
        served = await got.read()
        assert len(served) <= len(data)
        for foreign in (b"script", b"%PDF", b"PK\x03\x04", zeros(64)):
            assert foreign not in served
        with Image.open(io.BytesIO(served)) as opened:
            assert opened.size == (image["width"], image["height"])
        extension = image["url"].partition("?")[0].rpartition(".")[2]
        assert got.headers["Content-Type"] == SERVED_AS[extension] == image["mime"]
        assert got.headers["X-Content-Type-Options"] == "nosniff"
        assert got.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"


GOOD = {form: picture(form) for form in ("PNG", "JPEG", "GIF", "WEBP")}


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a good image that was cut, changed or mixed with another."""
    data = bytearray(GOOD[draw(st.sampled_from(sorted(GOOD)))])
    chance = random.Random(draw(st.integers(0, 2**32)))
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return bytes(data[: chance.randrange(1, len(data))])
    if kind == 1:
        other = GOOD[draw(st.sampled_from(sorted(GOOD)))]
        return bytes(data[: chance.randrange(1, len(data))]) + other
    if kind == 2:
        at = chance.randrange(len(data))
        data[at:at] = chance.randbytes(chance.randrange(1, 30))
        return bytes(data)
    for _ in range(chance.randrange(1, 12)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


@bounded(250)
@given(data=damaged() | st.binary(min_size=1, max_size=200))
async def test_damaged_images(scene: Scene, mallory: RawChat, data: bytes) -> None:
    """Taken if it can be shown, else refused; the decoder leaves nothing behind."""
    answer = await send(mallory, data)
    if not answer["ok"]:
        assert answer["error"]["code"] in ("invalid", "too_large"), answer
        assert "image" in answer["error"]["fields"]


async def address_of(client: RecordingClient, data: bytes) -> str:
    """Send an image and return the address that its message carries."""
    payload = {k: v for k, v in text_of("", TALK).items() if k != "text"}
    await client.do("send", {**payload, "type": "image", "image": data})
    received = await client.next("message", clientId=payload["clientId"])
    return str(received["image"]["url"])


async def status_of(scene: Scene, path: str, method: str = "GET") -> tuple[int, str]:
    """Return the status, and the answer if it is none of an image."""
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, scene.node.url + path) as got,
    ):
        body = await got.read()
        return got.status, "" if got.status == 200 else body.decode()


async def test_an_address_is_for_one_image_and_one_use(scene: Scene) -> None:
    """Not for another image, method, route or time; parameters count once.

    Their order does not matter: it is the same address.
    """
    url = await address_of(scene.ann, picture("PNG"))
    other = await address_of(scene.ann, picture("GIF"))
    path, _, query = url.partition("?")
    expires, signature = (part.partition("=")[2] for part in query.split("&"))
    assert (await status_of(scene, url))[0] == 200
    swapped = f"{path}?signature={signature}&expires={expires}"
    assert (await status_of(scene, swapped))[0] == 200
    later = str(int(expires) + 1)
    for forged in (
        f"{other.partition('?')[0]}?{query}",
        f"{path}?expires={later}&signature={signature}",
        f"{path}?expires={later}&expires={expires}&signature={signature}",
        f"{path}?expires={expires}&signature=x&signature={signature}",
        f"{path}?expires=0{expires}&signature={signature}",
        f"{path}?expires=%2b{expires}&signature={signature}",
        f"{path}?expires={expires}%20&signature={signature}",
        f"{path}?expires={expires}.0&signature={signature}",
        f"{path}?expires={expires}&signature={signature}=",
        f"{path}?expires={expires}&signature={signature.swapcase()}",
        f"{path}?expires={expires}&signature={signature[:-1]}",
        f"{path}?expires={expires}&signature=",
        f"{path}?expires=&signature={signature}",
        f"{path}?EXPIRES={expires}&SIGNATURE={signature}",
        f"{path}?expires=%d9%a1&signature={signature}",
        path,
    ):
        status, said = await status_of(scene, forged)
        assert status == 403, forged
        assert json.loads(said)["error"]["code"] == "forbidden"
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert (await status_of(scene, url, method))[0] == 405, method


async def test_addresses_cannot_be_guessed(scene: Scene) -> None:
    """Thousands of guesses get one answer, whether there is such an image or not."""
    url = await address_of(scene.ann, picture("PNG"))
    path, _, query = url.partition("?")
    expires = query.partition("&")[0]
    chance = random.Random(4)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    answers = set()
    for _ in range(50):
        guess = "".join(chance.choices(letters, k=43))
        missing = f"/images/{chance.randbytes(32).hex()}.png"
        for name in (path, missing):
            answers.add(await status_of(scene, f"{name}?{expires}&signature={guess}"))
    assert len(answers) == 1, "the answer tells which images there are"
    assert answers.pop()[0] == 403
    assert scene.redis.admin.strlen(SHARED_SECRET) >= 32


async def test_an_address_ends(scene: Scene) -> None:
    """After its time it is worth nothing; members get a fresh one with the message."""
    url = await address_of(scene.ann, picture("PNG"))
    name = url.partition("?")[0].rpartition("/")[2]
    secret = scene.redis.admin.get(SHARED_SECRET)
    assert isinstance(secret, bytes)
    now = ImageLinks(lambda: secret, valid_seconds=HOUR_SECONDS)
    assert (await status_of(scene, now.address(name)))[0] == 200
    earlier = ImageLinks(
        lambda: secret,
        valid_seconds=HOUR_SECONDS,
        clock=lambda: time.time() - HOUR_SECONDS,
    )
    status, said = await status_of(scene, earlier.address(name))
    assert (status, json.loads(said)["error"]["code"]) == (403, "forbidden")
    page = await scene.bob.do("history", {"room": TALK, "limit": 1})
    assert (await status_of(scene, page["messages"][0]["image"]["url"]))[0] == 200


@pytest.mark.parametrize("what", ["a pixel bomb", "scans without end", "HTML"])
async def test_one_that_is_no_image_among_ten(
    scene: Scene, mallory: RawChat, what: str
) -> None:
    """Wherever it stands it is found, named, and nothing of the message is told."""
    for at in (0, 9):
        files = [picture("PNG")] * 10
        files[at] = REFUSED[what]
        places = [{"_placeholder": True, "num": number} for number in range(10)]
        payload = {"room": TALK, "clientId": f"t{at}", "type": "image"}
        event = json.dumps(["send", {**payload, "images": places}])
        answer = await mallory.ask(event, *files)
        assert answer["ok"] is False
        assert list(answer["error"]["fields"]) == [f"images.{at}"]
    assert (await scene.ann.do("media", {"room": TALK}))["messages"] == []
    assert not scene.node.services.images.slots_taken
    await scene.goes_on()


async def test_a_flood_of_images_leaves_nothing(scene: Scene, mallory: RawChat) -> None:
    """Refusals of all kinds at once: every place of the decoder is free again."""
    place = {"_placeholder": True, "num": 0}
    for number, data in enumerate(list(REFUSED.values()) * 3):
        payload = {"room": TALK, "clientId": f"f{number}", "type": "image"}
        event = json.dumps(["send", {**payload, "image": place}])
        await mallory.send(f"451-{NAMESPACE},{event}")
        await mallory.send(data)
    images = scene.node.services.images
    assert (await mallory.ask('["rooms"]'))["ok"]
    await wait_until(lambda: not images.slots_taken, "no image waits")
    await scene.goes_on()
