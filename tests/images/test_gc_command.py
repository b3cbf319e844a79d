"""``chatroom gc``: shows what no message shows, and deletes it when told to."""

import asyncio
import os
import sys
from pathlib import Path

from redis.asyncio import Redis

from tests.kit.nodes import run_nodes
from tests.kit.pictures import picture
from tests.kit.recording import recording

NAME, YOUNG = f"{1:064x}.png", f"{2:064x}.png"


async def gc(redis_url: str, folder: Path, *flags: str) -> list[str]:
    """Run the command and return the lines that it prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "realtime", "gc"),
        *("--redis-url", redis_url, "--data-dir", str(folder), *flags),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode().splitlines()


def stored(folder: Path) -> set[str]:
    return {path.name for path in (folder / "images").rglob("*.*")}


def put_file(folder: Path, name: str, *, changed: float) -> None:
    path = folder / "images" / name[:2] / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"of an older version, or of a Redis that was lost")
    os.utime(path, (changed, changed))


async def test_it_deletes_only_when_told_and_only_what_nobody_sees(
    redis_url: str, redis_client: Redis, tmp_path: Path
) -> None:
    """Beside a running node, whose images stay."""
    async with (
        run_nodes(1, redis_url, data_dir=tmp_path) as (node,),
        recording(node, "ann") as ann,
    ):
        await ann.do("join", {"room": "42"})
        image = {"room": "42", "clientId": "1", "type": "image"}
        await ann.do("send", {**image, "image": picture("PNG", (900, 600))})
        shown = stored(tmp_path)
        assert len(shown) == 2, "the image and a thumbnail"
        put_file(tmp_path, NAME, changed=1_000_000)
        lines = await gc(redis_url, tmp_path)
        assert lines[0].startswith("Images: 3 files, ")
        assert lines[1].startswith("Shown by no message: 1 files, ")
        assert NAME in lines[2]
        assert stored(tmp_path) == {*shown, NAME}

        # A file that is young may be of a message that is under way.
        put_file(tmp_path, YOUNG, changed=float((await redis_client.time())[0]))
        lines = await gc(redis_url, tmp_path, "--delete")
        assert lines[-1] == "Deleted: 1 files. Too young to tell: 1."
        assert stored(tmp_path) == {*shown, YOUNG}


async def test_a_folder_that_is_not_there_is_not_made(
    redis_url: str, tmp_path: Path
) -> None:
    """A typing error is told: an empty folder would make garbage of all images."""
    missing = tmp_path / "chatrom-data"
    for flags in (
        ["--data-dir", str(missing)],
        ["--data-dir", str(missing), "--redis-url", redis_url],
    ):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "realtime", "gc", *flags),
            stderr=asyncio.subprocess.PIPE,
        )
        _, errors = await process.communicate()
        assert process.returncode == 1
        assert f"There is no data folder {missing}" in errors.decode()
        assert not missing.exists()
