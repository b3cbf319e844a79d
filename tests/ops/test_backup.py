"""``chatroom backup`` and ``restore``: what is copied is what people wrote."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from realtime.errors import StartError
from realtime.node.settings import Settings
from realtime.node.settings_io import load_settings
from realtime.ops.backup import backup, restore
from realtime.redis.embedded import EmbeddedValkey
from tests.kit.members import Member, member
from tests.kit.nodes import run_nodes
from tests.kit.pictures import picture


def at(folder: Path) -> Settings:
    return load_settings({"CHATROOM_DATA_DIR": str(folder)})


def silent(_line: str) -> None:
    """Say nothing."""


@asynccontextmanager
async def chatting(folder: Path) -> AsyncIterator[Member]:
    """Run a node on a data folder, with a member of the room 42."""
    valkey = EmbeddedValkey(folder)
    await valkey.start()
    try:
        async with (
            run_nodes(1, valkey.url, data_dir=folder) as (node,),
            member(node, "ann", "42") as ann,
        ):
            yield ann
    finally:
        await valkey.aclose()


async def test_a_copy_is_whole_though_people_write_meanwhile(tmp_path: Path) -> None:
    """All that was acknowledged before it is in it, images as well, in its order."""
    data, copy, again = (tmp_path / name for name in ("data", "copy", "again"))
    async with chatting(data) as ann:
        image = {"room": "42", "clientId": "i", "type": "image"}
        await ann.do("send", {**image, "image": picture("PNG")})
        before = [await ann.send(f"{number}") for number in range(50)]

        async def talk() -> None:
            while True:
                await ann.send("meanwhile")

        talking = asyncio.create_task(talk())
        await asyncio.to_thread(backup, at(data), copy, silent)
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
        await ann.send("later")
    assert not (data / ".backup").exists()
    assert copy.stat().st_mode & 0o077 == 0
    await restore(at(again), copy, silent)
    async with chatting(again) as ann:
        page = await ann.do("history", {"room": "42", "limit": 100, "after": 0})
        told = [each["message"] for each in page["messages"]]
        assert told == [*range(1, len(told) + 1)]
        assert len(told) > len(before)
        assert page["messages"][0]["type"] == "image"
        assert all(each.get("text") != "later" for each in page["messages"])
    names = [path.name for path in (again / "images").rglob("*.png")]
    assert names


async def test_what_cannot_be_copied_is_said(tmp_path: Path) -> None:
    """Nothing is overwritten, and what is no copy is not taken for one."""
    with pytest.raises(StartError, match="There is no data in"):
        backup(at(tmp_path), tmp_path / "copy", silent)
    with pytest.raises(StartError, match="is backed up there"):
        backup(load_settings({"CHATROOM_REDIS_URL": "redis://x"}), tmp_path, silent)
    with pytest.raises(StartError, match="is no copy of a data folder"):
        await restore(at(tmp_path / "new"), tmp_path, silent)
    (tmp_path / "appendonlydir").mkdir()
    (tmp_path / "appendonlydir" / "appendonly.aof.manifest").write_text("")
    with pytest.raises(StartError, match="There is something in"):
        await restore(at(tmp_path), tmp_path, silent)
    with pytest.raises(StartError, match=r"cannot be copied: .*File exists"):
        backup(at(tmp_path), tmp_path, silent)
