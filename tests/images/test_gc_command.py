"""``chatroom gc``: shows what no message shows, and deletes it when told to."""

import asyncio
import functools
import os
import sys
from pathlib import Path

from redis.asyncio import Redis

from tests.kit.nodes import run_nodes
from tests.kit.pictures import picture
from tests.kit.recording import recording
from verify.harness.valkey import free_ports

# No account of this machine is asked for.
NO_CLOUD = {"AWS_SKIP_SIGNATURE": "true", "AWS_EC2_METADATA_DISABLED": "true"}
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


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


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


async def refused(redis_url: str, folder: Path, images_url: str) -> str:
    """Run the command with deletion; return the one line that says why it does not."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "realtime", "gc", "--delete"),
        *("--redis-url", redis_url, "--data-dir", str(folder)),
        env={**os.environ, "CHATROOM_IMAGES_URL": images_url, **NO_CLOUD},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert (process.returncode, output) == (1, b"")
    assert b"Traceback" not in errors
    return errors.decode().splitlines()[-1]


async def test_a_wrong_address_of_images_deletes_and_reports_nothing(
    redis_url: str, tmp_path: Path
) -> None:
    """Whatever is wrong with it: one sentence, by the name of the setting."""
    other = tmp_path / "other's"
    (other / "images").mkdir(parents=True)
    put_file(other, NAME, changed=1_000_000)
    async with (
        run_nodes(1, redis_url, data_dir=tmp_path) as (node,),
        recording(node, "ann") as ann,
    ):
        (port,) = free_ports(1)
        await ann.do("join", {"room": "42"})
        image = {"room": "42", "clientId": "1", "type": "image"}
        await ann.do("send", {**image, "image": picture("PNG", (900, 600))})
        shown = stored(tmp_path)
        run = functools.partial(refused, redis_url, tmp_path)
        folder = tmp_path / "images"
        for address, why in (
            (f"file://{folder}s", f"There is no folder {folder}s"),
            ("file://images", "a folder has three slashes"),
            ("file:images", "a folder has three slashes"),
            (str(folder), "There is no object store of images for this address"),
            ("s3:bucket", "There is no object store of images for this address"),
            ("memory:///", "None of the 2 images that messages show is among the 0"),
            (f"file://{other}/images", "messages show is among the 1 files there"),
            (f"http://127.0.0.1:{port}/x", "The images cannot be looked at ("),
        ):
            said = await run(address)
            assert why in said, address
            assert "CHATROOM_IMAGES_URL" in said, address
        assert not names(tmp_path) & {"imagess"}, "no folder is made"
        assert stored(tmp_path) == shown
        assert stored(other) == {NAME}


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
