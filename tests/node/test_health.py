"""The plain HTTP routes: health, readiness, the page and its headers."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from handlers.hosts import Hosts
from handlers.http import add_routes
from realtime.store.shared_secret import SharedSecret
from tests.kit.nodes import run_nodes

Client = TestClient[web.Request, web.Application]


class Site:
    """The routes with a page folder and a readiness that the test decides."""

    def __init__(self, client: Client, folder: Path, reasons: list[str]) -> None:
        self.client = client
        self.folder = folder
        self.reasons = reasons

    def build_page(self) -> None:
        """Put a page into the folder."""
        (self.folder / "assets").mkdir()
        (self.folder / "index.html").write_text("<!doctype html><title>x</title>")
        (self.folder / "assets" / "app.js").write_text("export {}")
        (self.folder / "secret.txt").write_text("not for the web")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    reasons: list[str] = []
    app = web.Application()

    async def metrics() -> bytes:
        return b"chatroom_sessions 1.0\n"

    add_routes(
        app,
        page_dir=tmp_path,
        not_ready=lambda: reasons,
        metrics=metrics,
        metrics_token=None,
        hosts=Hosts(),
    )
    async with TestClient(TestServer(app)) as client:
        yield Site(client, tmp_path, reasons)


async def test_health_answers_while_the_process_serves(site: Site) -> None:
    """A node without Redis is alive all the same: restarting it would not help."""
    site.reasons.append("Redis does not answer.")

    answer = await site.client.get("/healthz")

    assert (answer.status, await answer.json()) == (200, {"ok": True})


async def test_readiness_tells_why_not(site: Site) -> None:
    """503 with the reasons keeps new clients away until the node can serve them."""
    site.reasons.append("Pub/Sub is silent.")
    answer = await site.client.get("/readyz")
    assert answer.status == 503
    assert await answer.json() == {"ready": False, "reasons": ["Pub/Sub is silent."]}

    site.reasons.clear()
    answer = await site.client.get("/readyz")
    assert (answer.status, await answer.json()) == (200, {"ready": True})
    assert answer.headers["Cache-Control"] == "no-store"


async def test_without_a_page_one_line_says_how_to_build_it(site: Site) -> None:
    """The server is usable without npm, and says so where the page would be."""
    answer = await site.client.get("/")

    text = await answer.text()
    assert answer.status == 200
    assert "make page" in text
    assert text.count("\n") == 1


async def test_the_page_comes_with_a_strict_policy(site: Site) -> None:
    """No foreign or inline script runs in the page and nobody frames it."""
    site.build_page()

    answer = await site.client.get("/")

    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert answer.content_type == "text/html"
    assert {"default-src 'none'", "script-src 'self'"} <= set(policy)
    assert "frame-ancestors 'none'" in policy
    host = f"{site.client.host}:{site.client.port}"
    assert f"connect-src 'self' ws://{host} wss://{host}" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_host_header_cannot_add_to_the_policy(site: Site) -> None:
    """What a client calls the host is used only when it looks like one."""
    site.build_page()

    answer = await site.client.get("/", headers={"Host": "x; script-src *"})

    assert "connect-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "script-src *" not in answer.headers["Content-Security-Policy"]


async def test_assets_are_served_and_asked_for_again_only_when_changed(
    site: Site,
) -> None:
    """A reload after a new build shows the new build, else costs a 304."""
    site.build_page()

    first = await site.client.get("/assets/app.js")
    again = await site.client.get(
        "/assets/app.js", headers={"If-None-Match": first.headers["ETag"]}
    )

    assert (first.status, again.status) == (200, 304)
    assert first.content_type in ("text/javascript", "application/javascript")
    assert first.headers["Cache-Control"] == "no-cache"


async def test_files_with_a_hash_in_their_name_are_kept(site: Site) -> None:
    """They never change, so no browser asks for them again; nor do caches mix forms."""
    site.build_page()
    name = "app-NYDIY7CU.js"
    (site.folder / "assets" / name).write_text("export {}")

    answer = await site.client.get(f"/assets/{name}")

    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    ("accepted", "sent"),
    [("gzip, deflate, br", "br"), ("gzip", "gzip"), ("identity", None)],
)
async def test_files_are_sent_compressed(
    site: Site, accepted: str, sent: str | None
) -> None:
    """In the form that lies beside them and that the browser takes; of its own type."""
    site.build_page()
    for end in ("", ".br", ".gz"):
        (site.folder / "assets" / f"a.js{end}").write_text(f"form{end}")
    headers = {"Accept-Encoding": accepted}

    async with (
        aiohttp.ClientSession(auto_decompress=False) as http,
        http.get(site.client.make_url("/assets/a.js"), headers=headers) as answer,
    ):
        assert answer.headers.get("Content-Encoding") == sent
        assert answer.content_type in ("text/javascript", "application/javascript")
        body = (await answer.read()).decode()
    assert body == {"br": "form.br", "gzip": "form.gz", None: "form"}[sent]


@pytest.mark.parametrize(
    "path",
    [
        "/assets/missing.js",
        "/assets/../secret.txt",
        "/assets/%2e%2e/secret.txt",
        "/assets/..%2fsecret.txt",
        "/assets/%2e%2e%2fsecret.txt",
        "/secret.txt",
    ],
)
async def test_nothing_outside_the_assets_is_served(site: Site, path: str) -> None:
    """A path that climbs out of the folder finds nothing."""
    site.build_page()

    answer = await site.client.get(path, allow_redirects=False)

    assert answer.status == 404


async def test_a_node_whose_part_has_failed_says_so(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Balancers send nobody there, and an operator learns which part it is."""

    async def fails(_secret: SharedSecret) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(SharedSecret, "run", fails)
    async with run_nodes(1, redis_url) as (node,), aiohttp.ClientSession() as http:
        async with http.get(f"{node.url}/readyz") as answer:
            said = await answer.json()
        assert answer.status == 503
        assert "A part of the node has failed: shared-secret." in said["reasons"]
        async with http.get(f"{node.url}/healthz") as answer:
            assert answer.status == 200
