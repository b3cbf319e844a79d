"""The embedded Valkey: one for a folder, gone with its parent, soon back."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from realtime.errors import StartError
from realtime.redis.embedded import EmbeddedValkey
from realtime.redis.folder_lock import LOCK_NAME
from realtime.redis.url import connection_factory
from realtime.redis.valkey_process import (
    LOG_LIMIT_BYTES,
    LOG_NAME,
    SOCKET_NAME,
    die_with_parent,
)
from tests.kit.waiting import MS, wait_until

# A process that starts or joins the Valkey of a folder and then does nothing else.
HOLDER = """
import asyncio, pathlib, sys
from realtime.redis.embedded import EmbeddedValkey
async def main():
    valkey = EmbeddedValkey(pathlib.Path(sys.argv[1]))
    await valkey.start()
    print("ready", flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""
# The same where the kernel has no signal for the parent's death.
ORPHANING = HOLDER.replace(
    "async def main",
    "import realtime.redis.valkey_process as process\n"
    "process.sys.platform = 'elsewhere'\nasync def main",
)


class Valkeys:
    """Starts embedded Valkeys of one folder and closes them after the test."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.folder = folder
        self._stack = stack

    async def start(self) -> EmbeddedValkey:
        """Start or join, in this process."""
        valkey = EmbeddedValkey(self.folder)
        await valkey.start()
        self._stack.push_async_callback(valkey.aclose)
        return valkey

    async def hold_in_process(
        self, program: str = HOLDER
    ) -> asyncio.subprocess.Process:
        """Start or join in a process of its own; return when it has."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            program,
            str(self.folder),
            stdout=subprocess.PIPE,
            preexec_fn=die_with_parent(),
        )
        self._stack.push_async_callback(_end, process)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        return process

    async def redis(self, valkey: EmbeddedValkey) -> Redis:
        """Connect to it."""
        return await self._stack.enter_async_context(
            Redis.from_url(valkey.url, decode_responses=True)
        )


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.communicate()


@pytest.fixture
async def valkeys(tmp_path: Path) -> AsyncIterator[Valkeys]:
    async with AsyncExitStack() as stack:
        yield Valkeys(tmp_path, stack)


async def _valkey_pid(redis: Redis) -> int:
    return int((await redis.info("server"))["process_id"])


def _lives(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return b"State:\tZ" not in Path(f"/proc/{pid}/status").read_bytes()
    except FileNotFoundError:
        return False


def _folder_of_socket(valkey: EmbeddedValkey) -> Path:
    return Path(valkey.url.removeprefix("unix://")).parent


async def _answers(redis: Redis) -> bool:
    try:
        return bool(await redis.ping())
    except (RedisError, OSError):
        return False


async def test_it_keeps_its_data_over_a_stop_and_a_start(valkeys: Valkeys) -> None:
    """What was stored is there after the server was stopped and started again."""
    first = await valkeys.start()
    await (await valkeys.redis(first)).set("kept", "yes")
    await first.aclose()

    again = await valkeys.start()

    assert await (await valkeys.redis(again)).get("kept") == "yes"
    assert (valkeys.folder / LOG_NAME).read_text()


async def test_a_second_node_joins_instead_of_starting_another(
    valkeys: Valkeys,
) -> None:
    """Two nodes on one folder use one Valkey."""
    first = await valkeys.start()
    second = await valkeys.start()

    assert (first.owner, second.owner) == (True, False)
    pids = [await _valkey_pid(await valkeys.redis(each)) for each in (first, second)]
    assert pids[0] == pids[1]


async def test_nodes_that_start_at_once_agree_on_one(valkeys: Valkeys) -> None:
    """Of nodes started in the same moment exactly one owns the Valkey."""
    nodes = await asyncio.gather(*(valkeys.start() for _ in range(4)))

    assert sorted(node.owner for node in nodes) == [False, False, False, True]


async def test_it_is_gone_after_its_parent_was_killed(valkeys: Valkeys) -> None:
    """SIGKILL of the node leaves no Valkey behind."""
    holder = await valkeys.hold_in_process()
    redis = Redis(unix_socket_path=str(valkeys.folder / SOCKET_NAME))
    pid = await _valkey_pid(redis)
    await redis.aclose()

    holder.kill()

    await wait_until(lambda: not _lives(pid), "Valkey is gone")


async def test_a_joined_node_takes_over_and_loses_nothing(valkeys: Valkeys) -> None:
    """When the owner is killed, a joined node restarts Valkey on the same data."""
    owner = await valkeys.hold_in_process()
    joined = await valkeys.start()
    redis = await valkeys.redis(joined)
    await redis.set("acknowledged", "yes")
    assert not joined.owner

    owner.kill()

    await wait_until(lambda: joined.owner, "the lock is taken")
    await wait_until(lambda: _answers(redis), "Valkey answers")
    assert await redis.get("acknowledged") == "yes"


async def test_an_orphaned_valkey_is_used_and_never_joined_by_another(
    valkeys: Valkeys,
) -> None:
    """Where the kernel does not end it with its parent, it still holds the folder."""
    holder = await valkeys.hold_in_process(ORPHANING)
    redis = Redis(unix_socket_path=str(valkeys.folder / SOCKET_NAME))
    pid = await _valkey_pid(redis)
    await redis.aclose()
    holder.kill()
    await holder.wait()
    try:
        joined = await valkeys.start()

        assert not joined.owner
        assert await _valkey_pid(await valkeys.redis(joined)) == pid
    finally:
        os.kill(pid, signal.SIGKILL)


async def test_a_dead_valkey_is_started_again_by_its_owner(valkeys: Valkeys) -> None:
    """Valkey itself being killed costs a moment, not the data."""
    owner = await valkeys.start()
    redis = await valkeys.redis(owner)
    await redis.set("acknowledged", "yes")

    os.kill(await _valkey_pid(redis), signal.SIGKILL)

    await wait_until(lambda: _answers(redis), "Valkey answers")
    assert await redis.get("acknowledged") == "yes"


async def test_a_path_too_long_for_a_socket_is_no_obstacle(tmp_path: Path) -> None:
    """Nodes on a deep data folder find one another, take over, and leave no trace."""
    folder = tmp_path / ("deep" * 20) / ("deeper" * 20)
    first, second = EmbeddedValkey(folder), EmbeddedValkey(folder)
    try:
        await first.start()
        await second.start()
        assert first.url == second.url
        assert not second.owner
        async with Redis.from_url(second.url) as redis:
            await first.aclose()
            await wait_until(lambda: _answers(redis), "the other one took over")
    finally:
        await second.aclose()
        await first.aclose()
    assert not _folder_of_socket(second).exists()


@pytest.mark.parametrize(
    "name", ["a#b", "a?b=c", "a%41", "with blanks ", "채팅방", "'\"&$(x)", "--dir"]
)
async def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    """Clients find the Valkey of it, and the files are where they were wanted."""
    folder = tmp_path / name
    valkey = EmbeddedValkey(folder)
    await valkey.start()
    try:
        connection = connection_factory(valkey.url, timeout_seconds=3_000 * MS)()
        await connection.connect()
        await connection.disconnect()
        assert (folder / "appendonlydir").is_dir()
    finally:
        await valkey.aclose()


async def test_nobody_else_reads_what_is_kept(valkeys: Valkeys) -> None:
    """Other users of the machine see no message, wherever the folder is."""
    valkeys.folder.mkdir(exist_ok=True)
    valkeys.folder.chmod(0o755)
    # As a version before left it.
    (valkeys.folder / "appendonlydir").mkdir(mode=0o755)
    first = await valkeys.start()
    await (await valkeys.redis(first)).set("a", "b", ex=1000)
    await first.aclose()

    for path in valkeys.folder.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


async def test_an_unusable_folder_is_named(tmp_path: Path) -> None:
    """The reason is told in words when the data folder cannot be made."""
    (tmp_path / "file").write_text("")

    with pytest.raises(StartError, match=r"data folder .* used: .*/file is a file\."):
        await EmbeddedValkey(tmp_path / "file").start()


async def test_a_broken_file_is_shown_from_valkeys_own_log(valkeys: Valkeys) -> None:
    """When Valkey refuses its data, the error carries what it said."""
    first = await valkeys.start()
    await (await valkeys.redis(first)).set("a", "b", ex=1000)
    await first.aclose()
    [manifest] = (valkeys.folder / "appendonlydir").glob("*.manifest")
    manifest.write_text("nonsense\n")

    with pytest.raises(StartError, match=r"ended\. It said:\n(.*\n)*.*AOF") as raised:
        await valkeys.start()
    assert str(valkeys.folder) in str(raised.value)

    assert (valkeys.folder / LOCK_NAME).exists()


async def test_a_long_log_is_moved_aside(valkeys: Valkeys) -> None:
    """A server that runs for years fills no disk with what Valkey says."""
    valkeys.folder.mkdir(parents=True, exist_ok=True)
    log = valkeys.folder / LOG_NAME
    log.write_bytes(b"x" * (LOG_LIMIT_BYTES + 1))
    await valkeys.start()
    assert log.stat().st_size < LOG_LIMIT_BYTES
    assert log.with_suffix(".log.1").stat().st_size == LOG_LIMIT_BYTES + 1
