"""Chromium as the judge of image files: which it shows, and how large."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiohttp import web

from tests.kit.waiting import MS

NAMES = ("chromium", "chromium-browser", "google-chrome")
LOOK_SECONDS = 25_000 * MS
# Pixels a side to which a picture is brought, to be compared with another.
SIDE = 16
PAGE = """<!doctype html><script type="module">
const answers = [];
for (let n = 0; n < COUNT; n++) {
  const image = new Image();
  const shown = new Promise((tell) => {
    image.onload = () => tell(true);
    image.onerror = () => tell(false);
  });
  image.src = "/" + n;
  let whole = await shown;
  try { await image.decode(); } catch { whole = false; }
  const context = new OffscreenCanvas(SIDE, SIDE).getContext("2d");
  if (whole) context.drawImage(image, 0, 0, SIDE, SIDE);
  const pixels = [...context.getImageData(0, 0, SIDE, SIDE).data];
  answers.push([whole, image.naturalWidth, image.naturalHeight, pixels]);
}
await fetch("/answers", { method: "POST", body: JSON.stringify(answers) });
</script>"""


class Look(NamedTuple):
    """What the browser says of a file."""

    shown: bool
    width: int
    height: int
    pixels: list[int]
    """Of the whole picture, at :data:`SIDE` a side: red, green, blue, alpha."""


def browser() -> str:
    """Return Chromium's program, or skip the test: not where CI runs."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say("there is no Chromium; `make browser` installs it")
    return str(found)


async def looks(files: Mapping[str, bytes], folder: Path) -> dict[str, Look]:
    """Have Chromium load and decode each file; the content's type is for it to guess.

    Args:
        files: By what they are.
        folder: For the browser's profile.
    """
    answers: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
    contents = list(files.values())

    async def get(request: web.Request) -> web.Response:
        number = request.match_info["number"]
        if not number:
            page = PAGE.replace("COUNT", str(len(contents)))
            page = page.replace("SIDE", str(SIDE))
            return web.Response(text=page, content_type="text/html")
        return web.Response(body=contents[int(number)], content_type="image/png")

    async def post(request: web.Request) -> web.Response:
        answers.set_result(await request.json())
        return web.Response()

    app = web.Application()
    app.add_routes([web.get("/{number:[0-9]*}", get), web.post("/answers", post)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    process = await asyncio.create_subprocess_exec(
        browser(),
        *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
        f"--user-data-dir={folder}/profile",
        f"http://127.0.0.1:{runner.addresses[0][1]}/",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            found = await answers
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        await runner.cleanup()
    pairs = zip(files, found, strict=True)
    return {what: Look(*said) for what, said in pairs}
