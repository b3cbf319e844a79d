"""A node under a path of a site: whether the proxy strips the path or passes it on."""

import json

import aiohttp
import pytest
import socketio

from tests.kit.nodes import NAMESPACE, client, run_nodes
from tests.kit.pictures import picture
from tests.kit.waiting import DEADLINE_SECONDS


async def got(url: str, **headers: str) -> tuple[int, str, bytes]:
    """Return status, place and body of an answer, without following it."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(url, headers=headers, allow_redirects=False) as answer,
    ):
        place = answer.headers.get("Location", "")
        return answer.status, place, await answer.read()


@pytest.mark.parametrize("path", ["healthz", "readyz", "metrics"])
async def test_a_slash_too_many_leads_to_the_same(redis_url: str, path: str) -> None:
    """A monitor that was told ``/healthz/`` is not told that there is nothing."""
    async with run_nodes(1, redis_url, public_path="/apps/chat") as (node,):
        for prefix in ("", "/apps/chat"):
            url = f"{node.url}{prefix}/{path}"
            assert (await got(url))[0] == 200
            async with aiohttp.ClientSession() as http, http.get(f"{url}/") as answer:
                assert (answer.status, str(answer.url)) == (200, url)


async def test_everything_is_under_the_path_as_well(redis_url: str) -> None:
    """Clients connect, images have addresses that work, the page's place is found."""
    async with run_nodes(1, redis_url, public_path="/apps/chat") as (node,):
        url = f"{node.url}/apps/chat"
        async with aiohttp.ClientSession() as http, http.get(url) as answer:
            assert str(answer.url) == f"{url}/"
        sio = socketio.AsyncClient(reconnection=False)
        try:
            await sio.connect(
                node.url,
                socketio_path="/apps/chat/socket.io",
                namespaces=[NAMESPACE],
                auth={"user": "ann"},
                wait_timeout=DEADLINE_SECONDS,
            )
            await sio.call("join", {"room": "42"}, namespace=NAMESPACE)
        finally:
            await sio.shutdown()
        async with client(node, "ben") as ben:
            address = await image_of(ben)
        assert address.startswith("/apps/chat/images/")
        assert (await got(node.url + address))[0] == 200
        # By a proxy that strips the path.
        stripped = node.url + address.removeprefix("/apps/chat")
        assert (await got(stripped))[0] == 200


async def test_the_path_may_change(redis_url: str) -> None:
    """Old messages are read with addresses under the path of today."""
    async with (
        run_nodes(1, redis_url, public_path="/old") as (node,),
        client(node, "ben") as ben,
    ):
        assert (await image_of(ben)).startswith("/old/images/")
    for path in ("/new/er", ""):
        async with (
            run_nodes(1, redis_url, public_path=path) as (node,),
            client(node, "ben") as ben,
        ):
            await ben.call("join", {"room": "42"}, namespace=NAMESPACE)
            assert (await address_of(ben)).startswith(f"{path}/images/")


async def image_of(sio: socketio.AsyncClient) -> str:
    """Send an image and return its address."""
    await sio.call("join", {"room": "42"}, namespace=NAMESPACE)
    image = {"clientId": "i", "room": "42", "type": "image", "image": picture("PNG")}
    ack = await sio.call("send", image, namespace=NAMESPACE)
    assert ack["ok"], ack
    return await address_of(sio)


async def address_of(sio: socketio.AsyncClient) -> str:
    """Return the address of the newest message's image."""
    page = await sio.call("history", {"room": "42"}, namespace=NAMESPACE)
    address: str = page["messages"][-1]["image"]["url"]
    return address


async def test_socket_io_without_its_last_slash(redis_url: str) -> None:
    """As Node's server answers clients with ``addTrailingSlash: false``."""
    async with run_nodes(1, redis_url) as (node,):
        status, _, body = await got(f"{node.url}/socket.io?EIO=4&transport=polling")
    assert status == 200
    assert json.loads(body[1:])["sid"]
