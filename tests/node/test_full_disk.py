"""A disk without space, a folder that is gone: nothing is lost, nothing in doubt."""

import asyncio
import itertools
import os
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from realtime.redis.embedded import GONE, NO_SPACE
from tests.kit.members import Member, member, members, text_of
from tests.kit.nodes import NodeProcess, run_process
from tests.kit.small_disk import SmallDisk, small_disk
from tests.kit.waiting import wait_until

MIB = 1024 * 1024
# Far more than others write meanwhile to a disk that is everybody's.
HEADROOM = 512 * MIB
# What a node says of its start and such an outage.
FEW_LINES = 20
# Sends until one looks whether any was refused.
AFTERWARDS = 10


@pytest.fixture
def disk(tmp_path: Path) -> Any:
    with small_disk(tmp_path / "disk") as made:
        yield made


@pytest.fixture
async def node(disk: SmallDisk) -> AsyncIterator[NodeProcess]:
    # A disk this small has no place for images at all, as a rule.
    async with run_process(
        *("--data-dir", str(disk.folder / "data")), CHATROOM_IMAGE_FREE_BYTES="0"
    ) as started:
        yield started


async def _ready(node: NodeProcess) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as http, http.get(f"{node.url}/readyz") as said:
        return said.status, await said.json()


async def _is_ready(node: NodeProcess) -> bool:
    return (await _ready(node))[0] == 200


async def _refused(node: NodeProcess, reason: str) -> None:
    async def is_named() -> bool:
        status, said = await _ready(node)
        return status == 503 and reason in said["reasons"]

    await wait_until(is_named, "/readyz names the reason")


async def _talk_until_refused(who: Member) -> list[str]:
    """Send one text after the other, and some more when the first one is refused."""
    outcomes: list[str] = []
    while outcomes.count("ok") == len(outcomes) or len(outcomes) % AFTERWARDS:
        outcomes.append(await _try(who, f"text {len(outcomes)}"))
    return outcomes


async def _try(who: Member, text: str) -> str:
    """Send once; return ``ok`` or the error's code."""
    answer = await who.ask("send", text_of(text))
    return "ok" if answer["ok"] else str(answer["error"]["code"])


async def test_a_disk_that_is_full_at_once_leaves_nothing_in_doubt(
    disk: SmallDisk, node: NodeProcess
) -> None:
    """In the midst of sends: each is stored or refused, and what was acked is read.

    Sends are refused until there is space, and then taken without a restart.
    """
    async with members([node], ["alice", "bob"], "42") as (alice, bob):
        talking = asyncio.gather(_talk_until_refused(alice), _talk_until_refused(bob))
        await bob.next("message")
        disk.fill()
        outcomes = Counter(itertools.chain(*await talking))
        assert outcomes.keys() == {"ok", "unavailable"}
        await _refused(node, NO_SPACE)

        page = await alice.do("history", {"room": "42", "limit": 1})
        assert page["messages"][0]["message"] == outcomes["ok"]
        assert (await alice.do("rooms", {}))["rooms"][0]["room"] == "42"
        async with member(node, "bob") as back:
            assert len((await back.do("join", {"room": "42"}))["events"]) > 0

        disk.clear()
        await wait_until(lambda: _is_ready(node), "it heals by itself")
        await alice.send("again")
    said = [line for line in node.output.splitlines() if "pace" in line]
    assert [line.partition(": ")[2].partition(" of ")[0] for line in said] == [
        "No space on the disk",
        "Space again on the disk",
    ], said
    assert str(disk.folder / "data") in said[0]
    assert "ended" not in node.output
    assert len(node.output.splitlines()) < FEW_LINES


async def test_a_node_starts_on_a_full_disk_for_reading(disk: SmallDisk) -> None:
    """What is there can be read; once there is space, people talk on."""
    flags = ("--data-dir", str(disk.folder / "data"))
    async with run_process(*flags) as node, member(node, "alice", "42") as alice:
        await alice.send("before")
    disk.fill()
    async with run_process(*flags) as node:
        await _refused(node, NO_SPACE)
        async with member(node, "alice") as alice:
            page = await alice.do("history", {"room": "42"})
            assert [each["text"] for each in page["messages"]] == ["before"]
            disk.clear()
            await wait_until(lambda: _is_ready(node), "it heals by itself")
            await alice.join("42")
            await alice.send("after")


async def test_the_floor_is_kept_wherever_the_folder_is(tmp_path: Path) -> None:
    """Long before the disk is full, on whatever file system; and again and again."""
    found = os.statvfs(tmp_path)
    floor = found.f_bavail * found.f_frsize - HEADROOM
    taken = tmp_path / "taken"

    def take() -> None:
        with taken.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, 2 * HEADROOM)

    async with (
        run_process(
            *("--data-dir", str(tmp_path / "data")), CHATROOM_DATA_FREE_BYTES=str(floor)
        ) as node,
        member(node, "alice", "42") as alice,
    ):
        for _ in range(2):
            take()
            await _refused(node, NO_SPACE)
            assert await _try(alice, "refused") == "unavailable"
            taken.unlink()
            await wait_until(lambda: _is_ready(node), "it heals by itself")
            await alice.send("taken")


async def test_images_without_space_are_a_warning(tmp_path: Path) -> None:
    """People talk on, so balancers send clients here; whoever watches is told."""
    async with run_process(
        *("--data-dir", str(tmp_path / "data")),
        CHATROOM_IMAGE_FREE_BYTES=str(2**60),
    ) as node:

        async def is_told() -> bool:
            status, said = await _ready(node)
            warning = "No space for images; texts and reading go on."
            return status == 200 and said.get("warnings") == [warning]

        await wait_until(is_told, "/readyz warns")
        async with member(node, "alice", "42") as alice:
            await alice.send("a text")


async def test_a_folder_that_was_removed_is_noticed(tmp_path: Path) -> None:
    """Nothing more is acknowledged into the void, with a new server there or not."""
    folder = tmp_path / "data"
    flags = ("--data-dir", str(folder))
    async with run_process(*flags) as first, member(first, "alice", "42") as alice:
        await alice.send("before")
        shutil.rmtree(folder)
        async with run_process(*flags) as second, member(second, "bob", "42") as bob:
            await bob.send("of the new one")
            await _refused(first, GONE)
            assert await _try(alice, "into the void") == "unavailable"
            page = await alice.do("history", {"room": "42"})
            assert [each["text"] for each in page["messages"]] == ["before"]
            assert await _is_ready(second)

            first.terminate()
            assert await first.ended() == 0
            await bob.send("goes on")
            assert await _is_ready(second)
    said = [line for line in first.output.splitlines() if "was removed" in line]
    assert len(said) == 1
    assert str(folder) in said[0]


async def test_a_joined_node_notices_it_as_well(tmp_path: Path) -> None:
    """It does not take the new folder for the one that it joined."""
    folder, aside = tmp_path / "data", tmp_path / "aside"
    flags = ("--data-dir", str(folder))
    async with run_process(*flags) as owner, run_process(*flags) as joined:
        folder.rename(aside)
        folder.mkdir()
        for node in (owner, joined):
            await _refused(node, GONE)
        folder.rmdir()
        aside.rename(folder)
        for node in (owner, joined):
            await wait_until(lambda node=node: _is_ready(node), "it is back")
