"""Messages: write, show, answer, page back."""

import io

import aiohttp
import pytest
from PIL import Image

from tests.kit.nodes import Node
from tests.kit.recording import RecordingClient


@pytest.fixture(autouse=True)
async def _both_are_in_the_room(ann: RecordingClient, bob: RecordingClient) -> None:
    for client in (ann, bob):
        await client.do("join", {"room": "42"})


async def test_send_a_text(ann: RecordingClient, bob: RecordingClient) -> None:
    """The ack says where the message is; everybody, the sender too, receives it."""
    ack = await ann.do(
        "send",
        {"room": "42", "clientId": "c-1", "type": "text", "text": " Hello\r\nBob "},
    )
    assert (ack["message"], ack["offset"], ack["duplicate"]) == (1, 1, False)
    for client in (ann, bob):
        assert await client.next("message") == {
            "offset": 1,
            "uid": ack["uid"],
            "message": 1,
            "room": "42",
            "user": "ann",
            "type": "text",
            "text": "Hello\nBob",
            "clientId": "c-1",
            "at": ack["at"],
        }


async def test_send_again_when_unsure(
    ann: RecordingClient, bob: RecordingClient
) -> None:
    """The same `clientId` is the same message: a retry can never double it."""
    message = {"room": "42", "clientId": "c-1", "type": "text", "text": "Hello"}
    first = await ann.do("send", message)
    again = await ann.do("send", message)
    assert again == {**first, "duplicate": True}
    await ann.do("send", {**message, "clientId": "c-2", "text": "next"})
    assert [(await bob.next("message"))["text"] for _ in range(2)] == ["Hello", "next"]


async def test_answer_and_mention(ann: RecordingClient, bob: RecordingClient) -> None:
    """`replyTo` names a message by its number, `mentions` names users."""
    text = {"room": "42", "type": "text", "text": "Hello"}
    sent = await ann.do("send", {**text, "clientId": "1"})
    reply = {"replyTo": sent["message"], "mentions": ["ann"]}
    await bob.do("send", {**text, "clientId": "1", **reply})
    received = await ann.next("message", user="bob")
    assert {name: received[name] for name in reply} == reply


async def test_send_an_image(
    node: Node, ann: RecordingClient, bob: RecordingClient
) -> None:
    """The bytes go to the object store, the message carries a signed address."""
    file = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(file, "PNG")
    picture = file.getvalue()
    await ann.do(
        "send",
        {
            "room": "42",
            "clientId": "1",
            "type": "image",
            "image": picture,  # bytes: a Socket.IO attachment
            "text": "Look!",
        },
    )
    received = await bob.next("message", type="image", text="Look!")
    image = received["image"]
    assert (image["mime"], image["size"]) == ("image/png", len(picture))
    assert (image["width"], image["height"]) == (40, 30)
    async with (
        aiohttp.ClientSession() as http,
        http.get(node.url + image["url"]) as response,
    ):
        assert await response.read() == picture
        assert response.headers["Content-Type"] == "image/png"


def png(side: int) -> bytes:
    """Return a picture of this width and height."""
    file = io.BytesIO()
    Image.new("RGB", (side, side), "teal").save(file, "PNG")
    return file.getvalue()


async def test_send_several_images(ann: RecordingClient, bob: RecordingClient) -> None:
    """Up to ten make one message: `images` has all, `image` the first of them.

    A client that knows of one image shows that one. If one of them cannot be taken
    nothing is stored, and the error names it.
    """
    message = {"room": "42", "clientId": "1", "type": "image", "text": "Us"}
    error = await ann.refused("send", {**message, "images": [png(3), b"no image"]})
    assert error["code"] == "invalid"
    assert list(error["fields"]) == ["images.1"]
    await ann.do("send", {**message, "images": [png(3), png(4), png(5)]})
    received = await bob.next("message", text="Us")
    assert [image["width"] for image in received["images"]] == [3, 4, 5]
    assert received["image"] == received["images"][0]


async def test_look_at_a_room_s_images(ann: RecordingClient) -> None:
    """`media` pages through the messages that show images, the newest first."""
    for number in range(1, 5):
        message = {"room": "42", "clientId": str(number)}
        await ann.do("send", {**message, "type": "image", "image": png(number)})
        text = {**message, "clientId": f"t{number}", "type": "text", "text": "Nice!"}
        await ann.do("send", text)
    newest = await ann.do("media", {"room": "42", "limit": 3})
    assert [each["message"] for each in newest["messages"]] == [7, 5, 3]
    assert newest["more"] is True
    older = await ann.do("media", {"room": "42", "before": 3})
    assert [each["image"]["width"] for each in older["messages"]] == [1]
    assert older["more"] is False


async def test_page_through_the_history(ann: RecordingClient) -> None:
    """`before` pages back from a message, `after` forward; both are exclusive."""
    for number in range(1, 8):
        await ann.do(
            "send",
            {
                "room": "42",
                "clientId": str(number),
                "type": "text",
                "text": f"{number}.",
            },
        )
    newest = await ann.do("history", {"room": "42", "limit": 3})
    assert [each["message"] for each in newest["messages"]] == [5, 6, 7]
    assert newest["more"] is True
    older = await ann.do("history", {"room": "42", "before": 5})
    assert [each["text"] for each in older["messages"]] == ["1.", "2.", "3.", "4."]
    assert (older["more"], older["firstAvailable"]) == (False, 1)
    newer = await ann.do("history", {"room": "42", "after": 4, "limit": 2})
    assert [each["message"] for each in newer["messages"]] == [5, 6]
    assert newer["more"] is True


async def test_show_who_is_typing(ann: RecordingClient, bob: RecordingClient) -> None:
    """`typing` is passed on to who is here, and kept nowhere."""
    await ann.do("typing", {"room": "42", "on": True})
    assert await bob.next("typing") == {"room": "42", "user": "ann", "on": True}
    await ann.do("typing", {"room": "42", "on": False})
    assert await bob.next("typing") == {"room": "42", "user": "ann", "on": False}
