"""Up to ten images in one message: all of it, or nothing."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis

from realtime.images.service import OWN_WAITING
from realtime.store import keys
from realtime.store.image_uses import PENDING_MS
from tests.kit.members import Member, member
from tests.kit.nodes import Node, run_nodes
from tests.kit.pictures import picture
from tests.kit.waiting import wait_until

ROOM = "42"
TEN = 10
USER_BYTES = 200_000


def coloured(number: int) -> bytes:
    """Return a small picture that differs from all others."""
    return picture("PNG", (8, 8 + number))


def several(
    count: int, client_id: str = "c1", *, first: int = 0, **more: object
) -> dict[str, Any]:
    """Return a ``send`` of so many different images."""
    images = [coloured(first + number) for number in range(count)]
    head = {"room": ROOM, "clientId": client_id, "type": "image"}
    return {**head, "images": images, **more}


def heights(message: dict[str, Any]) -> list[int]:
    """Return how high the images of a message are: which ones they are."""
    return [image["height"] for image in message["images"]]


def files(folder: Path) -> set[str]:
    """Return the names of the files that are stored."""
    return {each.name for each in (folder / "images").rglob("*") if each.is_file()}


@pytest.fixture
async def nodes(redis_url: str, tmp_path: Path) -> AsyncIterator[list[Node]]:
    settings = {
        "data_dir": tmp_path,
        "image_sweep_seconds": 1,
        "user_image_bytes": USER_BYTES,
    }
    async with run_nodes(3, redis_url, **settings) as running:
        yield running


@pytest.fixture
async def ann(nodes: list[Node]) -> AsyncIterator[Member]:
    async with member(nodes[0], "ann", ROOM) as ann:
        yield ann


async def give_up_claims(nodes: list[Node], after_ms: int) -> None:
    """Have files end so long after they were claimed, if their message never comes."""
    for node in nodes:
        node.services.image_uses.pending_ms = after_ms


async def status_of(node: Node, url: str) -> int:
    async with (
        aiohttp.ClientSession() as http,
        http.get(node.url + url) as response,
    ):
        return response.status


async def test_ten_are_one_message_at_all_nodes(
    nodes: list[Node], ann: Member, tmp_path: Path, redis_client: Redis
) -> None:
    """In their order, whatever is attached beside them; who knows of one shows it.

    Each can be fetched, also when the addresses that were stored have ended.
    """
    data = {"url": "/images/x", "type": "image"}
    async with member(nodes[1], "bob", ROOM) as bob:
        sent = several(TEN, text="An outing", data=data)
        assert (await ann.do("send", sent))["message"] == 1
        seen = await bob.next("message", text="An outing")
        assert heights(seen) == [8 + number for number in range(TEN)]
        assert seen["image"] == seen["images"][0]
        assert seen["data"] == data
    stored: Any = await redis_client.hget(keys.messages(ROOM), "1")
    ended = re.sub(r"expires=\d+", "expires=1", stored)
    await redis_client.hset(keys.messages(ROOM), "1", ended)
    async with member(nodes[2], "cleo", ROOM) as cleo:
        (shown,) = (await cleo.do("history", {"room": ROOM}))["messages"]
        (listed,) = (await cleo.do("rooms"))["rooms"]
        (found,) = (await cleo.do("media", {"room": ROOM}))["messages"]
    for each in (shown, listed["newest"], found):
        assert heights(each) == heights(seen)
        urls = [image["url"] for image in (each["image"], *each["images"])]
        assert {await status_of(nodes[1], url) for url in urls} == {200}
    assert len(files(tmp_path)) == TEN


async def test_one_in_a_list_is_a_message_with_one(ann: Member) -> None:
    """As it was before there were several."""
    await ann.do("send", several(1))
    seen = await ann.next("message")
    assert seen["image"]["height"] == 8
    assert "images" not in seen


async def test_one_bad_image_refuses_the_message(
    nodes: list[Node], ann: Member, tmp_path: Path
) -> None:
    """By the name of its place; no message is stored, and files of the others end."""
    await give_up_claims(nodes, 0)
    sent = several(TEN)
    sent["images"][3] = b"no image"
    error = await ann.refused("send", sent)
    assert (error["code"], [*error["fields"]]) == ("invalid", ["images.3"])
    assert error["message"].startswith("Image 4 of 10: ")
    assert (await ann.do("history", {"room": ROOM}))["messages"] == []
    await wait_until(lambda: not files(tmp_path), "the others are deleted")
    await give_up_claims(nodes, PENDING_MS)
    await ann.do("send", several(2))
    seen = await ann.next("message")
    assert (seen["message"], heights(seen)) == (1, [8, 9])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"images": []}, "images"),
        ({"images": [coloured(0), "text"]}, "images.1"),
        ({"images": [coloured(0), b""]}, "images.1"),
        ({"images": coloured(0)}, "images"),
        ({"image": coloured(0)}, "images"),
        ({"type": "text", "text": "x"}, "images"),
    ],
)
async def test_what_is_no_list_of_images(
    ann: Member, change: dict[str, Any], field: str
) -> None:
    """It is refused by its field, before an image is looked at."""
    error = await ann.refused("send", several(2) | change)
    assert (error["code"], [*error["fields"]]) == ("invalid", [field])


@pytest.mark.parametrize("count", [TEN + 1, 3 * TEN])
async def test_too_many_are_refused_by_their_field(ann: Member, count: int) -> None:
    """The connection goes on: nobody loses what else they do for a picture too many."""
    error = await ann.refused("send", several(count))
    assert (error["code"], [*error["fields"]]) == ("invalid", ["images"])
    await ann.do("send", several(1, "c2"))


async def test_a_repetition_stores_nothing(ann: Member, tmp_path: Path) -> None:
    """The same `clientId` is the same message, whatever images it brings."""
    first = await ann.do("send", several(3))
    before = files(tmp_path)
    again = await ann.do("send", several(TEN))
    assert again == {**first, "duplicate": True}
    assert files(tmp_path) == before
    assert len((await ann.do("history", {"room": ROOM}))["messages"]) == 1


async def test_all_count_to_the_user_and_go_with_the_message(
    ann: Member, redis_client: Redis
) -> None:
    """The quota names the image that is too much; with the messages all come back."""
    counted = 4_096

    def next_ones(number: int) -> dict[str, Any]:
        return several(TEN, f"c{number}", first=number * TEN)

    await ann.do("send", next_ones(0))
    taken = await redis_client.hgetall("{chatroom:images}:bytes")
    assert taken == {"ann": str(TEN * counted)}
    number = 1
    while (answer := await ann.ask("send", next_ones(number)))["ok"]:
        number += 1
    assert number == USER_BYTES // (TEN * counted)
    left = (USER_BYTES - number * TEN * counted) // counted
    error = answer["error"]
    assert (error["code"], [*error["fields"]]) == ("too_large", [f"images.{left}"])
    for each in range(1, number + 1):
        await ann.do("delete", {"room": ROOM, "message": each})
    refused = left * counted

    async def is_given_back() -> bool:
        taken = await redis_client.hgetall("{chatroom:images}:bytes")
        return taken == {"ann": str(refused)}

    # Of the refused message when it has not come for a while.
    await wait_until(is_given_back, "what the messages took is given back")


async def test_a_new_caption_keeps_the_images(ann: Member, tmp_path: Path) -> None:
    """An edit is of the words; a deletion takes words and images."""
    await ann.do("send", several(3, data={"a": 1}))
    edit = {"room": ROOM, "message": 1, "clientId": "e1", "text": "new"}
    await ann.do("edit", edit)
    (shown,) = (await ann.do("history", {"room": ROOM}))["messages"]
    assert (shown["text"], len(shown["images"])) == ("new", 3)
    await ann.do("delete", {"room": ROOM, "message": 1})
    (shown,) = (await ann.do("history", {"room": ROOM}))["messages"]
    assert {"image", "images", "text"}.isdisjoint(shown)
    await wait_until(lambda: not files(tmp_path), "the images are deleted")


async def test_a_message_takes_one_place(nodes: list[Node], ann: Member) -> None:
    """However many images it has: a user's fifth message at a time is told to wait."""
    images = nodes[0].services.images
    with images.place("ann"), images.place("ann"), images.place("ann"):
        assert OWN_WAITING == 4
        await ann.do("send", several(TEN))
        with images.place("ann"):
            error = await ann.refused("send", several(TEN, "c2"))
    assert (error["code"], error["temporary"]) == ("unavailable", True)
    assert "fields" not in error
    assert images.slots_taken == 0
