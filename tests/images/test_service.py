"""Images: what is taken, what is refused, and how it is described."""

import asyncio
import base64
import hashlib
import io
import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image as Picture

from realtime.errors import (
    ChatError,
    InvalidError,
    NotFoundError,
    TooLargeError,
    UnavailableError,
)
from realtime.images import service as images_module
from realtime.images.decode import Decoded, Limits
from realtime.images.decoder_pool import ImageDecoders
from realtime.images.service import File, Images, Upload
from realtime.images.signed_urls import ImageLinks
from realtime.images.store import ImageStore
from tests.kit.pictures import picture
from tests.kit.waiting import MS, wait_until

LIMIT_BYTES = 100_000
LIMIT_PIXELS = 1_000_000


@pytest.fixture
async def images(tmp_path: Path) -> AsyncIterator[Images]:
    images = Images(
        ImageStore.at(None, folder=tmp_path / "images"),
        ImageLinks(lambda: b"s" * 32, valid_seconds=3600),
        Limits(LIMIT_BYTES, LIMIT_PIXELS, 4 * LIMIT_PIXELS),
    )
    yield images
    await images.aclose()


async def accept(images: Images, data: bytes, *, owner: str = "ann") -> Upload:
    """Check an image and store it."""
    with images.place(owner):
        upload = await images.check(data, owner=owner)
        await images.keep(upload)
    return upload


def png_of_size(width: int, height: int) -> bytes:
    """Return a PNG that claims a size and holds next to nothing: a bomb."""

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 1000)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def read(images: Images, url: str) -> bytes:
    """Read an image by its address."""
    path, _, query = url.partition("?")
    given = dict(part.split("=", 1) for part in query.split("&"))
    async with images.read(path.removeprefix("/images/"), **given) as image:
        return b"".join([chunk async for chunk in image.file.chunks])


@pytest.mark.parametrize(
    ("format_name", "mime", "extension"),
    [
        ("PNG", "image/png", "png"),
        ("JPEG", "image/jpeg", "jpg"),
        ("WEBP", "image/webp", "webp"),
        ("GIF", "image/gif", "gif"),
    ],
)
async def test_an_image_is_stored_as_it_is_under_its_hash(
    images: Images, format_name: str, mime: str, extension: str
) -> None:
    """The four formats are taken; the bytes come back unchanged."""
    data = picture(format_name)
    stored = await accept(images, data, owner="ann")
    sha256 = hashlib.sha256(data).hexdigest()
    assert stored.image == File(f"{sha256}.{extension}", 40, 30)
    described = images.describe(stored)
    url = str(described.pop("url"))
    assert len(base64.b64decode(str(described.pop("thumbhash")))) > 16
    assert described == {
        "mime": mime,
        "size": len(data),
        "width": 40,
        "height": 30,
        "thumbnails": [],
    }
    assert url.startswith(f"/images/{sha256}.{extension}?")
    assert await read(images, url) == data


async def test_the_same_image_is_stored_once(images: Images, tmp_path: Path) -> None:
    """Who sends a picture that is known adds no file."""
    first, second = [
        await accept(images, picture("PNG"), owner="ann") for _ in range(2)
    ]
    assert first == second
    assert len(files_in(tmp_path)) == 1


async def test_a_turned_photo_has_the_size_that_is_shown(images: Images) -> None:
    """Phones store photos lying down, with a note how to turn them."""
    exif = Picture.Exif()
    exif[0x0112] = 6
    stored = await accept(images, picture("JPEG", (40, 30), exif=exif), owner="ann")
    assert stored.image[1:] == (30, 40)


async def test_animations_are_taken(images: Images) -> None:
    """An animated GIF or WebP is an image like others."""
    file = io.BytesIO()
    frames = [Picture.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    taken = await accept(images, file.getvalue(), owner="ann")
    assert (taken.mime, taken.animated) == ("image/gif", True)
    assert images.describe(taken)["animated"] is True


BMP, TIFF, ICO, PPM = (picture(name) for name in ("BMP", "TIFF", "ICO", "PPM"))
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML_AS_GIF = b"GIF89a/*<script>*/=1;alert(1)//</script>"
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
PNG = picture("PNG", (200, 200))


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"x", b"\0" * 1000, BMP, TIFF, ICO, PPM, SVG, HTML_AS_GIF, EPS),
        *(b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP"),
        *(PNG[:-100], PNG[:40], picture("JPEG", (99, 99))[:-200]),
        *(picture("WEBP")[:-10], picture("GIF")[:-15]),
        PNG.replace(b"IDAT", b"IDXT"),
        png_of_size(0, 0),
        b"PK\x03\x04" + PNG,
    ],
    ids=range(22),
)
async def test_other_files_and_damaged_ones_are_invalid(
    images: Images, data: bytes
) -> None:
    """What is not one of the four formats, or not whole, is refused as invalid."""
    with pytest.raises(InvalidError) as caught:
        await accept(images, data, owner="ann")
    assert set(caught.value.fields or ()) == {"image"}


async def test_a_file_that_is_an_image_and_more_stays_an_image(images: Images) -> None:
    """A PNG with a web page behind it is served as what it is: a PNG."""
    stored = await accept(images, PNG + b"<script>alert(1)</script>", owner="ann")
    assert stored.mime == "image/png"


@pytest.mark.parametrize(
    "data",
    [
        b"x" * (LIMIT_BYTES + 1),
        png_of_size(1001, 1000),
        png_of_size(12_000, 12_000),
        png_of_size(60_000, 60_000),
        png_of_size(2**31 - 1, 2**31 - 1),
        picture("GIF", (5000, 5000)),
    ],
    ids=["bytes", "over", "warned", "bomb", "huge", "gif"],
)
async def test_too_many_bytes_or_pixels_are_too_large(
    images: Images, data: bytes
) -> None:
    """A bomb is recognised by its header, before anything is decoded."""
    with pytest.raises(TooLargeError):
        await accept(images, data, owner="ann")


async def test_junk_never_breaks_the_server(images: Images) -> None:
    """Every truncation and many corruptions give an image or a clear refusal."""
    whole = [picture(name) for name in ("PNG", "JPEG", "WEBP", "GIF")]
    broken = [data[:cut] for data in whole for cut in range(0, len(data), 29)]
    for data in whole:
        places = range(0, len(data), 31)
        broken += [data[:at] + b"\xff\x00\xff" + data[at + 3 :] for at in places]
    for data in broken:
        try:
            await accept(images, data, owner="ann")
        except ChatError as error:
            assert error.code in ("invalid", "too_large")  # noqa: PT017 - either is fine


async def test_an_image_that_is_not_there_is_not_found(images: Images) -> None:
    """A genuine address of a file that was deleted."""
    links = ImageLinks(lambda: b"s" * 32, valid_seconds=3600)
    with pytest.raises(NotFoundError):
        await read(images, links.address("0" * 64 + ".png"))


async def test_a_store_that_fails_is_unavailable(
    tmp_path: Path, images: Images
) -> None:
    """The sender learns that nothing was stored and may try again."""
    folder = tmp_path / "images"
    folder.rmdir()
    folder.write_text("no folder any more")
    with pytest.raises(UnavailableError):
        await accept(images, picture("PNG"), owner="ann")


class Busy:
    """Stands for decoders that are at an image each until they are let go on."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.at: list[bytes] = []

    async def decode(self, data: bytes) -> Decoded:
        """Take an image and keep it."""
        self.at.append(data)
        try:
            await self.release.wait()
        finally:
            self.at.remove(data)
        return Decoded("image/png", 1, 1, False, "", data, ())


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Busy:
    busy = Busy()
    monkeypatch.setattr(ImageDecoders, "decode", lambda _self, data: busy.decode(data))
    return busy


async def test_only_so_many_images_wait(images: Images, busy: Busy) -> None:
    """While the decoders are busy further images are refused, later taken again."""
    taken = [
        asyncio.create_task(accept(images, b"x", owner=f"user{n}"))
        for n in range(images_module.WAITING)
    ]
    await wait_until(lambda: images.slots_taken == len(taken), "all are waiting")
    with pytest.raises(UnavailableError) as caught:
        await accept(images, b"x", owner="ann")
    assert caught.value.retry_after_ms
    busy.release.set()
    assert len({stored.image.name for stored in await asyncio.gather(*taken)}) == 1
    assert images.slots_taken == 0
    assert await accept(images, b"x", owner="ann")


async def test_one_user_leaves_places_for_others(images: Images, busy: Busy) -> None:
    """Whoever sends many pictures at once waits; others are served meanwhile."""
    own = [
        asyncio.create_task(accept(images, b"x", owner="ann"))
        for _ in range(images_module.OWN_WAITING)
    ]
    await wait_until(lambda: images.slots_taken == len(own), "all are waiting")
    with pytest.raises(UnavailableError):
        await accept(images, b"x", owner="ann")
    other = asyncio.create_task(accept(images, b"x", owner="bob"))
    await wait_until(lambda: images.slots_taken == len(own) + 1, "bob's is taken")
    busy.release.set()
    await asyncio.gather(*own, other)


async def test_images_of_one_user_are_decoded_one_after_another(
    images: Images, busy: Busy
) -> None:
    """Somebody's slow pictures hold one decoder; the other one is for the others."""
    sent = [
        asyncio.create_task(accept(images, data, owner=owner))
        for owner, data in (("ann", b"1"), ("ann", b"2"), ("bob", b"3"))
    ]
    await wait_until(lambda: len(busy.at) == 2, "both decoders are at work")
    assert busy.at == [b"1", b"3"]
    busy.release.set()
    await asyncio.gather(*sent)
    assert images.slots_taken == 0


async def test_an_image_that_takes_too_long_is_given_up(
    images: Images, busy: Busy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender gets an answer; its decoder and its place are free at once."""
    monkeypatch.setattr(images_module, "DECODE_SECONDS", 50 * MS)
    senders = [accept(images, b"x", owner=owner) for owner in ("ann", "ann", "bob")]
    answers = await asyncio.gather(*senders, return_exceptions=True)
    assert [type(answer) for answer in answers] == [UnavailableError] * 3
    assert not busy.at
    assert images.slots_taken == 0


def test_a_store_address_is_checked_without_repeating_it(tmp_path: Path) -> None:
    """An address may hold a secret, so the error does not."""
    with pytest.raises(ValueError, match="no object store of images") as caught:
        ImageStore.at("bogus://user:secret@x", folder=tmp_path)
    assert "secret" not in str(caught.value)
    ImageStore.at(f"file://{tmp_path}/new", folder=tmp_path)
    assert (tmp_path / "new").is_dir()
