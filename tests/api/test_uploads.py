"""Images over HTTP: uploaded in pieces, sent by their id."""

import io
from typing import Any

import pytest
from aiohttp import ClientSession, FormData

from realtime.store import keys
from tests.kit.backend import Backend, backend, user_token
from tests.kit.members import member
from tests.kit.nodes import Node
from tests.kit.pictures import picture
from tests.kit.waiting import wait_until


async def upload(
    http: ClientSession, node: Node, asks: Backend, data: bytes, part: str = "image"
) -> tuple[int, dict[str, Any]]:
    form = FormData()
    form.add_field(part, io.BytesIO(data), filename="a.png", content_type="image/png")
    url = f"{node.url}/api/uploads"
    async with http.post(url, data=form, headers=asks.headers) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_several_uploads_are_one_message(
    nodes: list[Node], http: ClientSession
) -> None:
    """In their order; one that is not there refuses the message."""
    async with member(nodes[0], "ann", "42", token=user_token("ann")) as ann:
        asks = Backend(http, nodes[1], user_token("ann"))
        made = [
            (await upload(http, nodes[1], asks, picture("PNG", size)))[1]["upload"]
            for size in ((20, 10), (30, 10))
        ]
        uploads = [{"upload": each} for each in made]
        body = {"type": "image", "images": [*uploads, {"upload": "A" * 22}]}
        status, *_ = await asks.ask("POST", "/chats/42/message", body)
        assert status == 404
        await asks.do("POST", "/chats/42/message", {"type": "image", "images": uploads})
        shown = await ann.next("message", type="image")
        assert [each["width"] for each in shown["images"]] == [20, 30]
        page = await asks.do("GET", "/chats/42/media")
        assert [each["message"] for each in page["messages"]] == [1]


async def test_an_image_is_uploaded_and_sent(
    nodes: list[Node], http: ClientSession
) -> None:
    """At one node and the other, by a user and by a key; a repeat is the first one."""
    async with member(nodes[1], "ann", "42", token=user_token("ann")) as ann:
        once = {"Idempotency-Key": "k"}
        for asks, user in (
            (Backend(http, nodes[0], user_token("ann")), "ann"),
            (await backend(http, nodes[0], "write"), "$crm"),
        ):
            status, made = await upload(http, nodes[0], asks, picture("PNG"))
            assert status == 201, made
            body = {"type": "image", "image": {"upload": made["upload"]}, "text": "see"}
            other = Backend(http, nodes[1], "")
            other.headers = asks.headers
            await other.do("POST", "/chats/42/message", body, **once)
            await wait_until(
                lambda user=user: any(one["user"] == user for one in ann.seen["42"]),
                "the image is seen",
            )
            shown = ann.seen["42"][-1]
            assert (shown["image"]["width"], shown["image"]["size"]) == (
                made["width"],
                made["size"],
            )
            async with http.get(nodes[0].url + shown["image"]["url"]) as image:
                assert image.status == 200
            await nodes[0].parts.redis.call("DEL", keys.upload(made["upload"]))
            status, *_ = await asks.ask("POST", "/chats/42/message", body, **once)
            assert status == 200
            status, *_ = await asks.ask(
                "POST", "/chats/42/message", body, **{"Idempotency-Key": "other"}
            )
            assert status == 404


async def test_what_is_not_used_ends(nodes: list[Node], http: ClientSession) -> None:
    """The upload by itself, its files when they are looked at."""
    asks = Backend(http, nodes[0], user_token("ann"))
    _, made = await upload(http, nodes[0], asks, picture("PNG"))
    redis, parts = nodes[0].parts.redis, nodes[0].parts
    assert 0 < await redis.call("TTL", keys.upload(made["upload"])) <= 300
    names = await redis.call("ZRANGE", keys.IMAGES_DUE, 0, -1)
    assert names
    later_ms = made["expiresAt"] + parts.image_uses.pending_ms
    for name in names:
        assert await parts.image_sweep.settle(name.decode(), later_ms)
    assert not await redis.call("EXISTS", keys.IMAGES_BYTES)


async def test_what_is_no_image_is_refused(
    nodes: list[Node], http: ClientSession
) -> None:
    """With the field's name, before or after it is looked at."""
    asks = Backend(http, nodes[0], user_token("ann"))
    status, problem = await upload(http, nodes[0], asks, b"no image")
    assert (status, [*problem["fields"]]) == (400, ["image"])
    status, problem = await upload(http, nodes[0], asks, picture("PNG"), part="file")
    assert (status, [*problem["fields"]]) == (400, ["image"])
    limit = nodes[0].services.images.limit_bytes
    status, problem = await upload(http, nodes[0], asks, b"x" * (limit + 1))
    assert (status, problem["code"]) == (413, "too_large")
    status, problem, _ = await asks.ask("POST", "/uploads", {"image": "x"})
    assert status == 400
    broken = b'--x\r\nContent-Disposition: form-data; name="a\x80\x01"\r\n\r\n\r\n--x--'
    for body in (b"", b"--x", b"--x\r\n\r\n", b"\xff" * 100, broken):
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        url = f"{nodes[0].url}/api/uploads"
        async with http.post(url, data=body, headers={**asks.headers, **kind}) as bad:
            assert bad.status == 400


async def test_an_upload_is_its_user_s(nodes: list[Node], http: ClientSession) -> None:
    """Nobody else can send it."""
    async with member(nodes[1], "eve", "42", token=user_token("eve")):
        _, made = await upload(
            http, nodes[0], Backend(http, nodes[0], user_token("ann")), picture("PNG")
        )
        body = {"type": "image", "image": {"upload": made["upload"]}}
        status, *_ = await Backend(http, nodes[0], user_token("eve")).ask(
            "POST", "/chats/42/message", body
        )
        assert status == 404


@pytest.mark.parametrize("image", [None, "x", {"upload": "x"}, {"upload": 1}])
async def test_an_image_is_named_by_its_upload(
    nodes: list[Node], http: ClientSession, image: object
) -> None:
    """And by nothing else."""
    asks = Backend(http, nodes[0], user_token("ann"))
    status, *_ = await asks.ask(
        "POST", "/chats/42/message", {"type": "image", "image": image}
    )
    assert status == 400
