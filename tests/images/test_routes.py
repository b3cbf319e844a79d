"""Images over HTTP: for whoever holds a valid address, and nothing but images."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from PIL import Image

from tests.kit.nodes import Node, run_nodes
from tests.kit.recording import RecordingClient, recording


def picture(colour: str = "teal") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(file, "PNG")
    return file.getvalue()


async def send_image(client: RecordingClient, data: bytes, key: str = "1") -> str:
    """Send an image and return the address that its message carries."""
    await client.do("join", {"room": "42"})
    message = {"room": "42", "clientId": key, "type": "image", "image": data}
    await client.do("send", message)
    received = await client.next("message", clientId=key)
    return str(received["image"]["url"])


@asynccontextmanager
async def got(
    url: str, method: str = "GET", **headers: str
) -> AsyncIterator[aiohttp.ClientResponse]:
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, url, headers=headers) as response,
    ):
        yield response


@pytest.fixture
async def node(redis_url: str, tmp_path: Any) -> AsyncIterator[Node]:
    async with run_nodes(1, redis_url, data_dir=tmp_path) as (node,):
        yield node


async def test_an_image_can_be_nothing_but_an_image(node: Node) -> None:
    """Its headers forbid a browser to run, frame or reinterpret what users sent."""
    data = picture()
    async with recording(node, "ann") as ann:
        behind = b"<script>alert(1)</script>"
        url = node.url + await send_image(ann, data + behind)
    async with got(url) as response:
        assert response.status == 200
        assert await response.read() == data
        headers = response.headers
    assert headers["Content-Type"] == "image/png"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert headers["Content-Disposition"].startswith("inline; filename=")
    assert headers["Cache-Control"].startswith("private, max-age=")
    assert headers["Cache-Control"].endswith(", immutable")
    assert int(headers["Content-Length"]) == len(data)


async def test_a_cached_image_is_not_sent_again(node: Node) -> None:
    """HEAD and If-None-Match cost no bytes."""
    async with recording(node, "ann") as ann:
        url = node.url + await send_image(ann, picture())
    async with got(url, "HEAD") as response:
        assert (response.status, await response.read()) == (200, b"")
        etag = response.headers["ETag"]
    async with got(url, **{"If-None-Match": etag}) as response:
        assert (response.status, await response.read()) == (304, b"")


async def test_a_changed_address_is_refused(node: Node) -> None:
    """An address cannot be made, prolonged or carried over; the answer says so."""
    async with recording(node, "ann") as ann:
        url = await send_image(ann, picture())
        other = await send_image(ann, picture("red"), "2")
    path, _, query = url.partition("?")
    for forged in (
        path,
        f"{path}?{query}x",
        f"{path}?{query.replace('expires=1', 'expires=2')}",
        f"{path}?{other.partition('?')[2]}",
        f"{path.replace('.png', '.gif')}?{query}",
    ):
        async with got(node.url + forged) as response:
            assert response.status == 403, forged
            assert response.headers["Cache-Control"] == "no-store"
            error = (await response.json())["error"]
            assert (error["code"], error["temporary"]) == ("forbidden", False)
    for elsewhere in (
        "/images/",
        "/images/../settings",
        "/images/x.png",
        f"{path}.html",
    ):
        async with got(f"{node.url}{elsewhere}?{query}") as response:
            assert response.status == 404, elsewhere


async def test_a_deleted_image_is_not_found(node: Node, tmp_path: Any) -> None:
    """The address is good, the file is gone."""
    async with recording(node, "ann") as ann:
        url = node.url + await send_image(ann, picture())
    _delete_files(tmp_path)
    async with got(url) as response:
        assert response.status == 404
        assert (await response.json())["error"]["code"] == "not_found"


def _delete_files(folder: Any) -> None:
    for path in folder.rglob("*.png"):
        path.unlink()


async def test_nodes_serve_each_others_images(redis_url: str, tmp_path: Any) -> None:
    """An address works at every node: they share the secret and the store."""
    async with (
        run_nodes(2, redis_url, data_dir=tmp_path) as (first, second),
        recording(first, "ann") as ann,
        recording(second, "bob") as bob,
    ):
        await bob.do("join", {"room": "42"})
        await send_image(ann, picture())
        image = (await bob.next("message"))["image"]
        async with got(second.url + image["url"]) as response:
            assert await response.read() == picture()


async def test_every_way_to_a_message_has_a_fresh_address(
    redis_url: str, tmp_path: Any
) -> None:
    """Join, sync, history and rooms never hand out an address that has expired."""
    nodes = {
        "data_dir": tmp_path,
        "image_url_secret": "an old secret, thirty-two bytes!",
    }
    async with (
        run_nodes(1, redis_url, **nodes) as (node,),
        recording(node, "ann") as ann,
    ):
        old = await send_image(ann, picture())
    # Another secret makes the old address worth what an expired one is.
    nodes["image_url_secret"] = "a new secret, also thirty-two bytes"
    async with (
        run_nodes(1, redis_url, **nodes) as (node,),
        recording(node, "ann") as ann,
    ):
        async with got(node.url + old) as response:
            assert response.status == 403
        history = await ann.do("history", {"room": "42"})
        rooms = await ann.do("rooms")
        joined = await ann.do("join", {"room": "42"})
        recovered = await ann.do("sync", {"rooms": [{"room": "42", "cursor": "0:"}]})
        for message in (
            history["messages"][0],
            rooms["rooms"][0]["newest"],
            joined["events"][0][1],
            recovered["rooms"][0]["events"][0][1],
        ):
            async with got(node.url + message["image"]["url"]) as response:
                assert response.status == 200


async def test_image_bytes_never_go_through_redis(
    node: Node, redis_client: Any
) -> None:
    """Redis holds the address and the size of a picture, not the picture."""
    noise = Image.effect_noise((400, 400), 90)
    file = io.BytesIO()
    noise.save(file, "PNG")
    before = (await redis_client.info("stats"))["total_net_input_bytes"]
    async with recording(node, "ann") as ann:
        await send_image(ann, file.getvalue())
    used = (await redis_client.info("stats"))["total_net_input_bytes"] - before
    assert used < len(file.getvalue()) / 4


@pytest.mark.parametrize(
    ("allowed", "origin", "may_read"),
    [
        (("https://a.example",), "https://a.example", True),
        (("https://a.example",), "https://b.example", False),
        (("*",), "https://b.example", True),
        ((), "https://a.example", False),
    ],
)
async def test_scripts_of_allowed_pages_may_read_images(
    redis_url: str,
    tmp_path: Any,
    allowed: tuple[str, ...],
    origin: str,
    may_read: bool,
) -> None:
    """For ``fetch`` and canvas: what is there, what is not, and what is cached."""
    nodes = {"data_dir": tmp_path, "allowed_origins": allowed}
    async with (
        run_nodes(1, redis_url, **nodes) as (node,),
        recording(node, "ann") as ann,
    ):
        url = node.url + await send_image(ann, picture())
        for address, status in ((url, 200), (url + "x", 403)):
            async with got(address, Origin=origin) as response:
                assert response.status == status
                given = response.headers.get("Access-Control-Allow-Origin")
                assert given == (origin if may_read else None)
        async with got(url) as response:
            assert "Access-Control-Allow-Origin" not in response.headers
            assert response.headers.get("Vary") == ("Origin" if allowed else None)
        etag = {"If-None-Match": response.headers["ETag"], "Origin": origin}
        async with got(url, **etag) as response:
            assert response.status == 304
            assert ("Access-Control-Allow-Origin" in response.headers) is may_read
