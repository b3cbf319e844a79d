"""The nginx of ``docs/deploy.md``, on free ports, before nodes of a test."""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from realtime.redis.valkey_process import die_with_parent
from tests.kit.javascript import cannot_run
from tests.kit.nodes import HOST
from tests.kit.waiting import wait_until

PAGE = Path(__file__).parents[2] / "docs" / "deploy.md"
# Debian keeps it where only root's path leads.
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"
MAIN = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{documented}
}}
"""


def documented(ports: Sequence[int], listen: int) -> str:
    """Return the page's configuration, for two nodes on these ports."""
    found = re.search(r"```nginx\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found
    text = found[1]
    for wanted, port in zip((5000, 5001), ports, strict=True):
        assert f"127.0.0.1:{wanted}" in text
        text = text.replace(f"127.0.0.1:{wanted}", f"{HOST}:{port}")
    assert "listen 8080;" in text
    return text.replace("listen 8080;", f"listen {HOST}:{listen};")


@asynccontextmanager
async def nginx(folder: Path, ports: Sequence[int], listen: int) -> AsyncIterator[str]:
    """Run nginx until the block ends; give its address."""
    program = shutil.which("nginx", path=PATH)
    if program is None:
        cannot_run("nginx is not installed")
    config = folder / "nginx.conf"
    config.write_text(MAIN.format(folder=folder, documented=documented(ports, listen)))
    process = await asyncio.create_subprocess_exec(
        *(str(program), "-p", str(folder), "-e", f"{folder}/error.log"),
        *("-c", str(config)),
        preexec_fn=die_with_parent(),
    )

    async def listens() -> bool:
        assert process.returncode is None, (folder / "error.log").read_text()
        try:
            _, writer = await asyncio.open_connection(HOST, listen)
        except OSError:
            return False
        writer.close()
        return True

    try:
        await wait_until(listens, "nginx listens")
        yield f"http://{HOST}:{listen}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
