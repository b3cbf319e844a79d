"""The ``chatroom`` command, run as an operator runs it."""

import asyncio
import json
import os
import socket
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path

import jwt
import pytest

from tests.kit.nodes import client, run_process, start_process
from tests.kit.waiting import MS, wait_until

SECRET = "a-secret-of-at-least-32-characters"


async def _chatroom(*arguments: str, **variables: str) -> tuple[int, str, str]:
    """Run the command to its end; return its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "realtime",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **variables},
    )
    output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


async def _get(url: str) -> tuple[int, bytes]:
    def get() -> tuple[int, bytes]:
        with urllib.request.urlopen(url) as answer:
            return answer.status, answer.read()

    return await asyncio.to_thread(get)


def _processor_seconds(pid: int) -> float:
    """Return what a process has used: user and system time, by proc(5)."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


async def test_serve_needs_nothing_but_a_folder(tmp_path: Path) -> None:
    """One command gives a server that is ready, on an embedded Valkey."""
    async with run_process("--data-dir", str(tmp_path / "data")) as node:
        status, body = await _get(node.url + "/readyz")

        assert (status, json.loads(body)) == (200, {"ready": True})
        assert "DEVELOPMENT MODE" in node.output


async def test_a_start_is_little_work(tmp_path: Path) -> None:
    """On an idle machine a start takes a moment, not a coffee."""
    async with run_process("--data-dir", str(tmp_path / "data")) as node:
        # Others may keep the machine busy, so that the clock would tell of them.
        assert _processor_seconds(node.process.pid) < 2500 * MS


@pytest.mark.parametrize("signal_name", ["terminate", "interrupt"])
async def test_sigterm_and_ctrl_c_end_it_in_good_order(
    redis_url: str, signal_name: str
) -> None:
    """Both signals end the node with code 0 and no traceback, clients connected."""
    async with (
        run_process("--redis-url", redis_url) as node,
        client(node, "alice"),
    ):
        getattr(node, signal_name)()

        assert await node.ended() == 0, node.output
        assert "Traceback" not in node.output


async def test_a_second_node_joins_and_takes_over(tmp_path: Path) -> None:
    """When the node with the Valkey is killed, the other one is soon ready again."""
    folder = ("--data-dir", str(tmp_path / "data"))
    async with run_process(*folder) as first, run_process(*folder) as second:
        assert "Joined the embedded Valkey" in second.output

        first.kill()
        await first.ended()

        await wait_until(
            lambda: "runs again, as this node's child" in second.output,
            "the other node starts Valkey",
        )

        async def ready() -> bool:
            try:
                return (await _get(second.url + "/readyz"))[0] == 200
            except OSError:
                return False

        await wait_until(ready, "the other node is ready again")


async def test_a_busy_port_is_named(redis_url: str) -> None:
    """The text names the port; there is no traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        node = await start_process("--redis-url", redis_url, port=port)
        try:
            assert await node.ended() == 1
        finally:
            await node.aclose()

    assert f"127.0.0.1:{port} is in use" in node.output
    assert "Traceback" not in node.output


async def test_wrong_settings_end_the_start_with_one_text() -> None:
    """All problems are told on stderr and the exit code says so."""
    code, output, errors = await _chatroom(
        "serve", "--port", "x", CHATROOM_LOG_LEVEL="loud"
    )

    assert (code, output) == (1, "")
    assert "\n  --port: " in errors
    assert "CHATROOM_LOG_LEVEL" in errors
    assert "Traceback" not in errors


async def test_an_unreachable_redis_ends_the_start_with_one_text() -> None:
    """The address is told, in words."""
    code, _output, errors = await _chatroom(
        "serve", "--redis-url", "redis://127.0.0.1:1"
    )

    assert code == 1
    assert "Redis at redis://127.0.0.1:1 cannot be reached" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("text", ["not a key", ""])
async def test_an_unusable_key_ends_the_start_with_one_text(
    tmp_path: Path, redis_url: str, text: str
) -> None:
    """A file that holds no public key, or nothing, is told, and lets nobody in."""
    key_file = tmp_path / "key.pem"
    key_file.write_text(text)

    code, _output, errors = await _chatroom(
        "serve",
        "--redis-url",
        redis_url,
        "--port",
        "0",
        CHATROOM_JWT_PUBLIC_KEY_FILE=str(key_file),
    )

    assert code == 1
    assert "CHATROOM_JWT_PUBLIC_KEY_FILE: The public key" in errors
    assert "Traceback" not in errors


async def test_token_is_one_that_the_server_accepts(redis_url: str) -> None:
    """A token made by hand lets its user in."""
    variables = {"CHATROOM_JWT_SECRET": SECRET, "CHATROOM_JWT_ISSUER": "us"}
    code, output, _errors = await _chatroom(
        "token", "auth0|alice", "--name", "Alice", "--hours", "1", **variables
    )

    claims = jwt.decode(output.strip(), SECRET, algorithms=["HS256"], issuer="us")
    assert code == 0
    assert (claims["sub"], claims["name"]) == ("auth0|alice", "Alice")
    assert claims["exp"] - claims["iat"] == 3600


async def test_token_says_what_it_takes() -> None:
    """Its help names its variables; what is no time is called that."""
    code, output, _errors = await _chatroom("token", "--help")
    assert code == 0
    assert "CHATROOM_JWT_SECRET" in output
    for hours, said in (("abc", "'abc' is no number"), ("nan", "must be above 0")):
        code, _output, errors = await _chatroom("token", "alice", "--hours", hours)
        assert code == 2
        assert f"argument --hours: {said}" in errors


@pytest.mark.parametrize(
    ("flag", "text", "said"),
    [
        ("--seconds", "abc", "'abc' is no number"),
        ("--rounds", "1.5", "'1.5' is no whole number"),
        ("--seed", "x", "'x' is no whole number"),
        ("--rate", "nan", "must be from 0.01 to 1000"),
    ],
)
async def test_verify_says_what_is_no_number(flag: str, text: str, said: str) -> None:
    """In words, and not by the names of functions."""
    code, _output, errors = await _chatroom("verify", flag, text)
    assert code == 2
    assert f"argument {flag}: {said}" in errors


async def test_a_page_that_is_not_where_it_is_said_to_be_is_named(
    redis_url: str, tmp_path: Path
) -> None:
    """The folder and its variable, not that something was not built."""
    missing = tmp_path / "page"
    async with run_process(
        "--redis-url", redis_url, CHATROOM_PAGE_DIR=str(missing)
    ) as node:
        said = f"there is no index.html in {missing} (CHATROOM_PAGE_DIR)"
        await wait_until(lambda: said in node.output, "it is named")


async def test_nobody_learns_what_the_server_is_made_of(redis_url: str) -> None:
    """Not by a good request, nor by what is no HTTP."""
    async with run_process("--redis-url", redis_url) as node:
        for request in (b"GET /healthz HTTP/1.0\r\n\r\n", b"\x16\x03 what?\r\n\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
            writer.write(request)
            answer = await reader.read()
            writer.close()
            assert answer.startswith(b"HTTP/1."), answer
            assert b"\r\nserver:" not in answer.lower()


async def test_no_python_to_test_with_is_a_failure(tmp_path: Path) -> None:
    """`make test-pythons` says so, and does not look as if all went well."""
    root = Path(__file__).parents[2]
    process = await asyncio.create_subprocess_exec(
        "/bin/bash",
        str(root / ".ci" / "test-pythons"),
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        env={"PATH": "/nowhere", "PYENV_ROOT": str(tmp_path), "HOME": str(tmp_path)},
    )
    _output, errors = await process.communicate()
    assert process.returncode != 0
    assert b"There is no Python to test with." in errors


async def test_a_python_that_is_not_there_is_named(tmp_path: Path) -> None:
    """`make PYTHON=python9` is a typing error, not a missing version."""
    process = await asyncio.create_subprocess_exec(
        "/bin/bash",
        str(Path(__file__).parents[2] / ".ci" / "make-venv"),
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHON": "python9", "VENV": str(tmp_path / "venv")},
    )
    _output, errors = await process.communicate()
    assert process.returncode == 1
    assert errors.decode().startswith("There is no python9 here.")


async def test_token_without_a_secret_says_why() -> None:
    """In development mode there is nothing to sign with, and no need to."""
    code, output, errors = await _chatroom("token", "alice")

    assert (code, output) == (1, "")
    assert "CHATROOM_JWT_SECRET is not set" in errors


async def test_settings_lists_values_and_masks_secrets() -> None:
    """What is in effect can be shown to anyone."""
    code, output, _errors = await _chatroom(
        "settings", CHATROOM_JWT_SECRET=SECRET, CHATROOM_PORT="6000"
    )

    assert code == 0
    assert "* CHATROOM_PORT" in output
    assert "6000" in output
    assert SECRET not in output


async def test_a_reader_that_has_seen_enough_ends_the_listing() -> None:
    """``chatroom settings | head -1`` shows a line and no traceback."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "realtime",
            "settings",
            stdout=writing,
            stderr=asyncio.subprocess.PIPE,
        )
    finally:
        os.close(writing)
    _output, errors = await process.communicate()

    assert errors == b""


async def test_a_folder_of_images_that_cannot_be_made_is_named(
    tmp_path: Path, redis_url: str
) -> None:
    """The folder, or the setting, is told beside the system's reason."""
    (tmp_path / "images").write_text("in the way")
    start = ("serve", "--redis-url", redis_url, "--port", "0")

    code, _output, errors = await _chatroom(*start, "--data-dir", str(tmp_path))
    assert code == 1
    assert f"{tmp_path / 'images'}: " in errors

    code, _output, errors = await _chatroom(*start, CHATROOM_IMAGES_URL="somewhere")
    assert code == 1
    assert "CHATROOM_IMAGES_URL: " in errors


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ann", "--hours", "0"], "must be above 0"),
        (["a\nb"], "the user id:"),
    ],
)
async def test_a_token_that_nobody_could_use_is_refused(
    arguments: list[str], said: str
) -> None:
    """At once, in one text, and not by the server later."""
    code, output, errors = await _chatroom(
        "token", *arguments, CHATROOM_JWT_SECRET=SECRET
    )
    assert code != 0
    assert output == ""
    assert said in errors
    assert "Traceback" not in errors


async def test_the_page_of_settings_is_what_the_program_prints() -> None:
    """``docs/settings.md`` cannot fall behind."""
    code, output, _errors = await _chatroom("settings", "--markdown")
    assert code == 0
    page = Path(__file__).parents[2] / "docs" / "settings.md"
    assert output == page.read_text()


@pytest.mark.parametrize(
    ("host", "shown", "reached"),
    [
        ("localhost", "http://localhost:", "127.0.0.1"),
        ("::1", "http://[::1]:", "[::1]"),
        ("127.0.0.2", "http://127.0.0.2:", "127.0.0.2"),
    ],
)
async def test_the_address_that_is_told_can_be_opened(
    redis_url: str, host: str, shown: str, reached: str
) -> None:
    """Whatever kind of address it listens on."""
    async with run_process("--redis-url", redis_url, "--host", host) as node:
        assert shown in node.output
        status, _body = await _get(f"http://{reached}:{node.port}/healthz")
        assert status == 200


async def test_systemd_is_told_that_it_is_ready_and_lives(
    redis_url: str, tmp_path: Path
) -> None:
    """One process alone, too: a unit with a watchdog would end one that is silent."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(path)
        systemd.setblocking(False)
        said: list[str] = []

        def heard(text: str, times: int) -> bool:
            with suppress(BlockingIOError):
                while True:
                    said.append(systemd.recv(4096).decode())
            return said.count(text) >= times

        async with run_process(
            "--redis-url", redis_url, NOTIFY_SOCKET=path, WATCHDOG_USEC="200000"
        ):
            await wait_until(lambda: heard("READY=1", 1), "it is ready")
            await wait_until(lambda: heard("WATCHDOG=1", 3), "signs of life")
