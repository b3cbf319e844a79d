"""The proxies of ``deploy/``, on free ports, before nodes of a test."""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from realtime.redis.valkey_process import die_with_parent
from tests.kit.javascript import cannot_run
from tests.kit.nodes import HOST
from tests.kit.waiting import wait_until

DEPLOY = Path(__file__).parents[2] / "deploy"
# Debian keeps them where only root's path leads.
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"

# Where nginx writes, for whoever may not write where Debian's does.
_OWN_PLACES = """http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
"""


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def program(name: str, package: str) -> str:
    """Return the path of a program; without it the test cannot run."""
    found = shutil.which(name, path=PATH)
    if found is None:
        cannot_run(f"{name} is not installed (Debian's package {package})")
    return str(found)


def nginx_file(folder: Path, ports: Sequence[int], listen: int) -> Path:
    """Write the shipped configuration for two nodes, and return where."""
    first, second = ports
    text = _replaced(
        (DEPLOY / "nginx.conf").read_text(),
        {
            "127.0.0.1:5000": f"{HOST}:{first}",
            "127.0.0.1:5001": f"{HOST}:{second}",
            "listen 8080 reuseport;\n\n": f"listen {HOST}:{listen} reuseport;\n\n",
            "http {\n": _OWN_PLACES.format(folder=folder),
        },
    )
    path = folder / "nginx.conf"
    path.write_text(text)
    return path


def haproxy_file(folder: Path, ports: Sequence[int], listen: int) -> Path:
    """Write the shipped configuration for two nodes, and return where."""
    first, second = ports
    text = _replaced(
        (DEPLOY / "haproxy.cfg").read_text(),
        {
            "127.0.0.1:5000": f"{HOST}:{first}",
            "127.0.0.1:5001": f"{HOST}:{second}",
            "    bind *:8080\n": f"    bind {HOST}:{listen}\n",
            # It does not start with fewer descriptors than that needs.
            "maxconn 50000": "maxconn 1000",
        },
    )
    path = folder / "haproxy.cfg"
    path.write_text(text)
    return path


def _replaced(text: str, words: dict[str, str]) -> str:
    for each, by in words.items():
        assert text.count(each) == 1, each
        text = text.replace(each, by)
    return text


@asynccontextmanager
async def nginx(folder: Path, ports: Sequence[int], listen: int) -> AsyncIterator[str]:
    """Run nginx until the block ends; give its address."""
    log = folder / "error.log"
    command = (
        *(program("nginx", "nginx-light"), "-p", str(folder), "-e", str(log)),
        *("-c", str(nginx_file(folder, ports, listen))),
        *("-g", f"daemon off; pid {folder}/nginx.pid; error_log {log} warn;"),
    )
    async with _running(command, log, listen) as url:
        yield url


@asynccontextmanager
async def haproxy(
    folder: Path, ports: Sequence[int], listen: int
) -> AsyncIterator[str]:
    """Run HAProxy until the block ends; give its address."""
    log = folder / "haproxy.log"
    config = haproxy_file(folder, ports, listen)
    command = (program("haproxy", "haproxy"), "-db", "-f", str(config))
    async with _running(command, log, listen) as url:
        yield url


@asynccontextmanager
async def _running(
    command: Sequence[str], log: Path, listen: int
) -> AsyncIterator[str]:
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *command, preexec_fn=die_with_parent(), stdout=output, stderr=output
        )

    async def listens() -> bool:
        if process.returncode is not None:
            pytest.fail(await asyncio.to_thread(log.read_text))
        try:
            _, writer = await asyncio.open_connection(HOST, listen)
        except OSError:
            return False
        writer.close()
        return True

    try:
        await wait_until(listens, "the proxy listens")
        yield f"http://{HOST}:{listen}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
