"""An image as large as is allowed arrives, whatever carries it."""

import asyncio
import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import socketio
from PIL import Image

from realtime.node.settings import Settings
from tests.images.made_pictures import heic
from tests.kit.nodes import NAMESPACE, run_nodes
from tests.kit.pictures import picture
from tests.kit.recording import recording
from tests.kit.waiting import DEADLINE_SECONDS

# Of a square of incompressible grey pixels, a byte each: a little less than 8 MiB.
SIDE = 2890


# Of the client's HTTP library: it is what a client does.
@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_the_largest_image_can_be_sent(redis_url: str, transport: str) -> None:
    """Over long polling its bytes travel in base64, a third more."""
    file = io.BytesIO()
    grey = Image.frombytes("L", (SIDE, SIDE), os.urandom(SIDE * SIDE))
    grey.save(file, "PNG", compress_level=0)
    data = file.getvalue()
    limit = Settings().image_limit_bytes
    assert limit * 0.99 < len(data) <= limit

    message = {"room": "42", "clientId": "1", "type": "image", "image": data}
    async with run_nodes(1, redis_url) as (node,):
        sio = socketio.AsyncClient(reconnection=False)
        ended = asyncio.get_running_loop().create_future()
        sio.on("disconnect", ended.set_result, NAMESPACE)
        auth = {"user": "ann"}
        await sio.connect(
            node.url, namespaces=[NAMESPACE], auth=auth, transports=[transport]
        )
        try:
            await sio.call("join", {"room": "42"}, namespace=NAMESPACE)
            sent = asyncio.create_task(
                sio.call("send", message, namespace=NAMESPACE, timeout=DEADLINE_SECONDS)
            )
            await asyncio.wait([sent, ended], return_when=asyncio.FIRST_COMPLETED)
            assert not ended.done(), ended.result()
            # A machine that is too busy to decode it in time says so, and stays.
            ack = sent.result()
            assert ack["ok"] or ack["error"]["code"] == "unavailable", ack
        finally:
            await sio.disconnect()


@pytest.mark.parametrize(
    ("data", "mime", "size"),
    [
        (lambda: picture("JPEG", (8160, 6120)), "image/jpeg", (8160, 6120)),
        (lambda: heic(Image.new("RGB", (1512, 2016))), "image/jpeg", (1512, 2016)),
        (lambda: picture("AVIF", (8192, 200), speed=10), "image/jpeg", (4096, 100)),
    ],
    ids=["JPEG of 50 megapixels", "HEIC", "AVIF, very wide"],
)
async def test_photos_of_phones_are_taken(
    redis_url: str,
    tmp_path: Path,
    data: Callable[[], bytes],
    mime: str,
    size: tuple[int, int],
) -> None:
    """By a node with its defaults; people see them in two smaller sizes as well."""
    message = {"room": "42", "clientId": "1", "type": "image", "image": data()}
    async with (
        run_nodes(1, redis_url, data_dir=tmp_path) as (node,),
        recording(node, "ann") as ann,
    ):
        await ann.do("join", {"room": "42"})
        while not (ack := await ann.ask("send", message))["ok"]:
            # A machine that is too busy to decode it in time says so.
            assert ack["error"]["code"] == "unavailable", ack
        image = (await ann.next("message"))["image"]
    assert (image["mime"], image["width"], image["height"]) == (mime, *size)
    sides = [max(each["width"], each["height"]) for each in image["thumbnails"]]
    assert sides == [320, 1280]
