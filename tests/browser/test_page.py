"""The demo page in Chromium, served by two real nodes: one scenario a test."""

import json
import shutil
from pathlib import Path

import pytest

from tests.kit.javascript import WEB, cannot_run, require_node, run_program
from tests.kit.nodes import run_process
from tests.kit.redis_server import RedisServer
from tests.kit.waiting import MS

pytestmark = [pytest.mark.long, pytest.mark.timeout(150)]

HERE = Path(__file__).parent
SCENARIO_SECONDS = 120_000 * MS
# One of its steps: the browser starts, the page loads, an outage is noticed.
STEP_SECONDS = 60_000 * MS
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SCENARIOS = {
    "chat": "two people on two nodes chat, with images, typing and read counts",
    "photos": "photos are made smaller, shown small, opened large; refusals are told",
    "changes": "what is edited, deleted and reacted to is shown, also after an absence",
    "reload": "a page reloaded in mid-send loses nothing and doubles nothing",
    "sending": "what is written keeps its order, and comes back if it cannot be sent",
    "offline": "a page that goes offline says so, and catches up when it is back",
    "blocked": "whoever has site data blocked can chat, and is told what is not kept",
    "absence": "thousands of missed messages come at once, and images come back",
    "history": "older messages are there once, with the lines where they belong",
    "leaving": "a room that was left stays left, also after the back button",
    "hostile": "texts and names are never markup, and the policy is strict",
    "names": "names, texts and links of others turn nothing around and sign nobody in",
    "keyboard": "everything can be done by keyboard alone",
    "accessibility": "axe finds no serious fault, by day and night, desk and phone",
    "api-docs": "the page of the HTTP API shows each route, and asks by it",
    "phone": "the page works at a phone's size, with history by scrolling",
}


def page_browser() -> str:
    """Return the path of a Chromium, if all that the page needs is there."""
    require_node()
    if not (WEB / "dist" / "index.html").is_file():
        cannot_run("the page is not built: run `make page`")
    return browser()


def browser() -> str:
    """Return the path of a Chromium."""
    for name in BROWSERS:
        path = shutil.which(name)
        if path is not None:
            return path
    cannot_run("no Chromium is installed")
    raise AssertionError("unreachable: the line above ends the test")


async def test_the_page_while_redis_is_away(redis_server: RedisServer) -> None:
    """It stays connected, says what is wrong, and heals by itself; nothing is lost."""
    chromium = page_browser()
    async with run_process("--redis-url", redis_server.url) as node:
        settings = {"urls": [node.url], "executablePath": chromium}
        async with run_program(HERE / "outage.mjs", json.dumps(settings)) as program:
            await program.until(
                lambda: program.all("chatting"), "a chat", seconds=STEP_SECONDS
            )
            redis_server.kill()
            await program.until(
                lambda: program.all("told"), "it is told", seconds=STEP_SECONDS
            )
            redis_server.start()
            code = await program.ended(SCENARIO_SECONDS)
            assert code == 0, program.errors


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_page(redis_url: str, scenario: str) -> None:
    """Each scenario holds, without a console error or a violation of the policy."""
    chromium = page_browser()
    async with (
        run_process("--redis-url", redis_url) as one,
        run_process("--redis-url", redis_url) as two,
    ):
        settings = {"urls": [one.url, two.url], "executablePath": chromium}
        script = HERE / f"{scenario}.mjs"
        async with run_program(script, json.dumps(settings)) as program:
            code = await program.ended(SCENARIO_SECONDS)
            assert code == 0, f"{SCENARIOS[scenario]}:\n{program.errors}"


async def test_the_page_under_a_path_of_a_site(redis_url: str) -> None:
    """A chat with images, shown under ``/apps/chat`` of somebody's site."""
    chromium = page_browser()
    path = "/apps/chat"
    start = ("--redis-url", redis_url)
    async with (
        run_process(*start, CHATROOM_PUBLIC_PATH=path) as one,
        run_process(*start, CHATROOM_PUBLIC_PATH=path) as two,
    ):
        urls = [f"{node.url}{path}" for node in (one, two)]
        settings = {"urls": urls, "executablePath": chromium}
        async with run_program(HERE / "chat.mjs", json.dumps(settings)) as program:
            assert await program.ended(SCENARIO_SECONDS) == 0, program.errors
