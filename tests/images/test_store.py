"""The folder of images: on the disk before the ack, healed when damaged."""

import hashlib
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from realtime.errors import NotFoundError
from realtime.images.folder import remove_parts, write_durably
from realtime.images.store import ImageStore
from tests.kit.nodes import Node, run_nodes
from tests.kit.pictures import picture
from tests.kit.recording import recording

DATA = picture("PNG")
NAME = hashlib.sha256(DATA).hexdigest() + ".png"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ImageStore]:
    made = ImageStore.at(f"file://{tmp_path}/a%20folder", folder=tmp_path)
    yield made
    made.close()


def files_of(folder: Path) -> list[Path]:
    return [path for path in (folder / "images").rglob("*") if path.is_file()]


def the_file(folder: Path) -> Path:
    (found,) = folder.rglob("*.png")
    return found


async def content(store: ImageStore) -> bytes:
    async with store.read(NAME) as file:
        return b"".join([chunk async for chunk in file.chunks])


def test_a_file_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bytes first, then its name, then the folders: a power cut loses nothing."""
    done: list[str] = []
    target = tmp_path / "images" / "ab" / "abc"

    def fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.is_file():
            assert path.read_bytes() == DATA
            assert not target.exists()
            done.append("file")
        else:
            done.append(str(path.relative_to(tmp_path)))

    monkeypatch.setattr(os, "fsync", fsync)
    write_durably(tmp_path / "images", "ab/abc", DATA)
    assert target.read_bytes() == DATA
    at = done.index("file")
    assert set(done[:at]) == {".", "images"}, "the new folders, in those above them"
    assert done[at:] == ["file", "images/ab"]
    assert target.stat().st_mode & 0o077 == 0
    assert list((tmp_path / "images" / "new").iterdir()) == []


def test_what_a_crash_left_is_removed(tmp_path: Path) -> None:
    """A file that was being written has no name; when it is old it goes."""
    (tmp_path / "new").mkdir()
    old, young = tmp_path / "new" / "old", tmp_path / "new" / "young"
    for path in (old, young):
        path.write_bytes(DATA)
    os.utime(old, (0, time.time() - 100))
    remove_parts(tmp_path, older_seconds=50)
    assert not old.exists()
    assert young.exists()


@pytest.mark.parametrize("kept", [0, 1, len(DATA) - 1])
async def test_a_damaged_file_is_not_served_and_heals(
    store: ImageStore, tmp_path: Path, kept: int
) -> None:
    """Emptied or cut it is gone to readers; whoever sends it again mends it."""
    await store.put(NAME, DATA)
    assert await content(store) == DATA
    path = the_file(tmp_path)
    path.write_bytes(DATA[:kept])
    with pytest.raises(NotFoundError):
        await content(store)
    await store.put(NAME, DATA)
    assert await content(store) == DATA


async def test_a_file_with_other_bytes_is_not_served(
    store: ImageStore, tmp_path: Path
) -> None:
    """As long as it was and not what its name says."""
    await store.put(NAME, DATA)
    the_file(tmp_path).write_bytes(bytes(len(DATA)))
    with pytest.raises(NotFoundError):
        await content(store)


@pytest.fixture
async def node(redis_url: str, tmp_path: Path) -> AsyncIterator[Node]:
    async with run_nodes(1, redis_url, data_dir=tmp_path) as (node,):
        yield node


async def test_a_damaged_image_is_not_found_until_it_is_sent_again(
    node: Node, tmp_path: Path
) -> None:
    """Over HTTP: 404, never 200 with nothing; then the old address works again."""

    async def status() -> tuple[int, int]:
        async with aiohttp.ClientSession() as http, http.get(url) as got:
            return got.status, len(await got.read())

    async with recording(node, "ann") as ann:
        await ann.do("join", {"room": "42"})
        message = {"room": "42", "type": "image", "image": DATA}
        await ann.do("send", {**message, "clientId": "1"})
        url = node.url + (await ann.next("message"))["image"]["url"]
        whole = await status()
        assert whole[0] == 200
        for path in files_of(tmp_path):
            path.write_bytes(b"")
        assert (await status())[0] == 404
        await ann.do("send", {**message, "clientId": "2"})
        assert await status() == whole
